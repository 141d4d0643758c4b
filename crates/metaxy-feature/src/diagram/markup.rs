//! A diagram as a text that another program draws: Mermaid's flowcharts and Graphviz's DOT.

use std::fmt::Write as _;

use super::{Diagram, DiagramOptions, Presence};

/// The colours of what has changed, with a text that can be read on them in light and dark.
const COLOURS: [(&str, &str); 3] = [("added", "#2da44e"), ("removed", "#cf222e"), ("changed", "#bf8700")];

impl Diagram {
    /// The diagram as a flowchart of [Mermaid](https://mermaid.js.org), which GitHub draws in Markdown.
    pub fn to_mermaid(&self, options: DiagramOptions) -> String {
        // Writing to a text cannot fail.
        let title = self.title.as_ref().map(|title| format!("---\ntitle: \"{}\"\n---\n", for_dot(title)));
        let mut text = format!("{}flowchart {}\n", title.unwrap_or_default(), direction(options));
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
            let _ = writeln!(text, "    f{at}[\"{}\"]", lines.join("<br/>"));
        }
        for edge in &self.edges {
            let arrow = match edge.presence {
                Presence::Both => "-->",
                Presence::NewOnly => "==>",
                Presence::OldOnly => "-.->",
            };
            let _ = writeln!(text, "    f{} {arrow} f{}", edge.from, edge.to);
        }
        for (change, colour) in COLOURS {
            let of = self.nodes.iter().enumerate().filter(|(_, node)| Self::change(node) == change);
            let of: Vec<String> = of.map(|(at, _)| format!("f{at}")).collect();
            if !of.is_empty() {
                let _ = writeln!(text, "    classDef {change} stroke:{colour},stroke-width:3px");
                let _ = writeln!(text, "    class {} {change}", of.join(","));
            }
        }
        text
    }

    /// The diagram in [Graphviz](https://graphviz.org)'s language DOT.
    pub fn to_dot(&self, options: DiagramOptions) -> String {
        // Writing to a text cannot fail.
        let mut text = format!("digraph features {{\n    rankdir={}\n", direction(options));
        if let Some(title) = &self.title {
            let _ = writeln!(text, "    label=\"{}\"\n    labelloc=t", for_dot(title));
        }
        text.push_str("    node [shape=box, style=rounded, fontname=monospace]\n");
        for (at, node) in self.nodes.iter().enumerate() {
            let lines = self.lines(node, options);
            let label: Vec<String> = lines.iter().map(|line| for_dot(&line.text)).collect();
            let change = Self::change(node);
            let colour = COLOURS.iter().find(|(of, _)| *of == change);
            let colour = colour.map(|(_, colour)| format!(", color=\"{colour}\", penwidth=3")).unwrap_or_default();
            let _ = writeln!(text, "    f{at} [label=\"{}\"{colour}]", label.join("\\n"));
        }
        for edge in &self.edges {
            let style = match edge.presence {
                Presence::Both => "",
                Presence::NewOnly => " [style=bold]",
                Presence::OldOnly => " [style=dashed]",
            };
            let _ = writeln!(text, "    f{} -> f{}{style}", edge.from, edge.to);
        }
        text.push_str("}\n");
        text
    }
}

fn direction(options: DiagramOptions) -> &'static str {
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

/// A text between quotes of DOT, or of the YAML before a flowchart of Mermaid.
fn for_dot(text: &str) -> String {
    text.chars()
        .map(|char| match char {
            '"' | '\\' => format!("\\{char}"),
            char if char.is_control() => " ".to_owned(),
            char => char.to_string(),
        })
        .collect()
}
