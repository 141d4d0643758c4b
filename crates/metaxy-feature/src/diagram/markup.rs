//! A diagram as a text that another program draws: Mermaid's flowcharts and Graphviz's DOT.

use super::{Diagram, DiagramOptions, Presence};

/// The colours of what has changed, with a text that can be read on them in light and dark.
const COLOURS: [(&str, &str); 3] = [("added", "#2da44e"), ("removed", "#cf222e"), ("changed", "#bf8700")];

impl Diagram {
    /// The diagram as a flowchart of [Mermaid](https://mermaid.js.org), which GitHub draws in Markdown.
    pub fn to_mermaid(&self, options: &DiagramOptions) -> String {
        let mut text = format!("flowchart {}\n", direction(options));
        for (at, node) in self.nodes.iter().enumerate() {
            let lines = self.lines(node, options);
            let lines: Vec<String> = lines
                .iter()
                .map(|line| {
                    if line.is_title {
                        ["<b>", &for_mermaid(&line.text), "</b>"].concat()
                    } else {
                        for_mermaid(&line.text)
                    }
                })
                .collect();
            text.push_str(&format!("    f{at}[\"{}\"]\n", lines.join("<br/>")));
        }
        for edge in &self.edges {
            let arrow = match edge.presence {
                Presence::Both => "-->",
                Presence::NewOnly => "==>",
                Presence::OldOnly => "-.->",
            };
            text.push_str(&format!("    f{} {arrow} f{}\n", edge.from, edge.to));
        }
        for (change, colour) in COLOURS {
            let of = self.nodes.iter().enumerate().filter(|(_, node)| self.change(node) == change);
            let of: Vec<String> = of.map(|(at, _)| format!("f{at}")).collect();
            if !of.is_empty() {
                text.push_str(&format!("    classDef {change} stroke:{colour},stroke-width:3px\n"));
                text.push_str(&format!("    class {} {change}\n", of.join(",")));
            }
        }
        text
    }

    /// The diagram in [Graphviz](https://graphviz.org)'s language DOT.
    pub fn to_dot(&self, options: &DiagramOptions) -> String {
        let mut text = format!("digraph features {{\n    rankdir={}\n", direction(options));
        text.push_str("    node [shape=box, style=rounded, fontname=monospace]\n");
        for (at, node) in self.nodes.iter().enumerate() {
            let lines = self.lines(node, options);
            let label: Vec<String> = lines.iter().map(|line| for_dot(&line.text)).collect();
            let change = self.change(node);
            let colour = COLOURS.iter().find(|(of, _)| *of == change);
            let colour = colour.map(|(_, colour)| format!(", color=\"{colour}\", penwidth=3")).unwrap_or_default();
            text.push_str(&format!("    f{at} [label=\"{}\"{colour}]\n", label.join("\\n")));
        }
        for edge in &self.edges {
            let style = match edge.presence {
                Presence::Both => "",
                Presence::NewOnly => " [style=bold]",
                Presence::OldOnly => " [style=dashed]",
            };
            text.push_str(&format!("    f{} -> f{}{style}\n", edge.from, edge.to));
        }
        text.push_str("}\n");
        text
    }

    /// The word for what has changed in a feature, or stands out in it.
    pub(super) fn change(&self, node: &super::DiagramNode) -> &'static str {
        let stands_out = node.note.as_ref().is_some_and(|note| note.stands_out);
        if node.version.is_unchanged() && stands_out { "changed" } else { node.version.word() }
    }
}

fn direction(options: &DiagramOptions) -> &'static str {
    if options.left_to_right { "LR" } else { "TB" }
}

/// A text in a label of Mermaid, which knows HTML's entities with `#`.
fn for_mermaid(text: &str) -> String {
    text.chars()
        .map(|char| match char {
            '"' | '<' | '>' | '&' | '#' | '`' => format!("#{};", u32::from(char)),
            char if char.is_control() => " ".to_owned(),
            char => char.to_string(),
        })
        .collect()
}

/// A text in a label of DOT.
fn for_dot(text: &str) -> String {
    text.chars()
        .map(|char| match char {
            '"' | '\\' => format!("\\{char}"),
            char if char.is_control() => " ".to_owned(),
            char => char.to_string(),
        })
        .collect()
}
