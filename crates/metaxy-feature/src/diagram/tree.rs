//! A diagram as a tree of lines: what depends on a feature is below it.

use std::collections::BTreeSet;

use anstyle::{AnsiColor, Style};

use super::{Diagram, DiagramNode, DiagramOptions, VersionChange};

impl Diagram {
    /// The diagram as lines of text.
    ///
    /// A feature that depends on several stands below each of them, with all there is to say of it once. In front of what
    /// was added is `+`, of what was removed `-`, and of what has changed `~`.
    pub fn to_tree(&self, options: DiagramOptions) -> String {
        let mut tree = Tree { diagram: self, options, shown: BTreeSet::new(), text: String::new() };
        if let Some(title) = &self.title {
            let title = title.replace(char::is_control, " ");
            let line = tree.styled(Style::new().bold().underline(), &title);
            tree.text.push_str(&[&line, "\n"].concat());
        }
        let is_root = |at: &usize| self.edges.iter().all(|edge| edge.to != *at);
        for root in (0..self.nodes.len()).filter(is_root) {
            tree.node(root, "", "");
        }
        // What is left depends on itself if both graphs are put together.
        for at in 0..self.nodes.len() {
            if !tree.shown.contains(&at) {
                tree.node(at, "", "");
            }
        }
        tree.text
    }
}

struct Tree<'d> {
    diagram: &'d Diagram,
    options: DiagramOptions,
    /// The features that were written with all there is to say of them.
    shown: BTreeSet<usize>,
    text: String,
}

impl Tree<'_> {
    /// Writes a feature and what depends on it: `branch` stands before its name, `stem` before all other lines.
    fn node(&mut self, at: usize, branch: &str, stem: &str) {
        let node = &self.diagram.nodes[at];
        let is_new = self.shown.insert(at);
        self.text.push_str(branch);
        self.text.push_str(&self.title(node));
        let below: Vec<usize> = self.diagram.edges.iter().filter(|edge| edge.from == at).map(|edge| edge.to).collect();
        if !is_new {
            self.text.push_str(if below.is_empty() && !self.options.fields { "\n" } else { " (see above)\n" });
            return;
        }
        self.text.push('\n');
        let trunk = if below.is_empty() { " " } else { "│" };
        for (key, version) in node.fields.iter().filter(|_| self.options.fields) {
            let name = self.painted(version, &[version.sign(), key.as_str()].concat());
            let facts = node.facts_of_field(key, version, self.options);
            let facts = if facts.is_empty() { facts } else { [" ", &self.dimmed(&facts)].concat() };
            self.text.push_str(&[stem, trunk, "  · ", &name, &facts, "\n"].concat());
        }
        if let Some(note) = &node.note {
            self.text.push_str(&[stem, trunk, "  ", &note.text, "\n"].concat());
        }
        for (index, next) in below.iter().enumerate() {
            let (branch, trunk) = if index + 1 == below.len() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            self.node(*next, &[stem, branch].concat(), &[stem, trunk].concat());
        }
    }

    fn title(&self, node: &DiagramNode) -> String {
        let name = self.painted(&node.version, &[node.version.sign(), node.key.as_str()].concat());
        let mut facts = Vec::new();
        if self.options.feature_versions {
            facts.push(self.options.version(&node.version));
        }
        if self.diagram.has_projects(self.options) {
            facts.push(node.project.to_string().escape_debug().to_string());
        }
        if facts.is_empty() { name } else { [&name, " ", &self.dimmed(&facts.join(", "))].concat() }
    }

    fn painted(&self, version: &VersionChange, text: &str) -> String {
        let style = match version {
            VersionChange::Unchanged(_) => Style::new().bold(),
            VersionChange::Added(_) => AnsiColor::Green.on_default(),
            VersionChange::Removed(_) => AnsiColor::Red.on_default(),
            VersionChange::Changed { .. } => AnsiColor::Yellow.on_default(),
        };
        self.styled(style, text)
    }

    fn dimmed(&self, text: &str) -> String {
        self.styled(Style::new().dimmed(), text)
    }

    fn styled(&self, style: Style, text: &str) -> String {
        if self.options.coloured { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}
