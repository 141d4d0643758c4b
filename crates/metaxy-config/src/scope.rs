//! What is at hand while a configuration is resolved, and the reports that every part makes.

use std::path::PathBuf;
use std::sync::Arc;

use ducklake_sql::{Problem, Problems};
use metaxy_diagnostics::{Node, Origin, Sources};

use crate::decode::Context;
use crate::expand::Expanded;
use crate::messages;
use crate::path;
use crate::system::System;

/// What everything that is resolved needs.
pub(crate) struct Scope<'a> {
    pub(crate) system: &'a dyn System,
    pub(crate) sources: &'a Arc<Sources>,
    /// The folder of the file that the configuration begins with, where Python Metaxy's relative paths start.
    pub(crate) project: PathBuf,
    /// The texts that had references to variables, as they are written.
    pub(crate) expanded: Expanded,
    pub(crate) context: Context,
    /// Whether the store is named by a class of Python Metaxy, so that this is who opens it, too.
    pub(crate) is_for_python: bool,
}

impl Scope<'_> {
    /// The absolute path that a text written at `origin` means.
    pub(crate) fn path(&self, text: &str, origin: Origin) -> PathBuf {
        path::absolute(text, self.sources.dir(origin), self.system)
    }

    /// The absolute path as text, or a report that it is none.
    pub(crate) fn path_text(&mut self, text: &str, origin: Origin) -> Option<String> {
        let path = self.path(text, origin).into_os_string().into_string();
        path.map_err(|_| self.context.report(messages::invalid_path(origin, "is not Unicode"))).ok()
    }

    /// Reports what is wrong in the table `node`, unless its field was reported already.
    pub(crate) fn problems(&mut self, problems: impl IntoIterator<Item = Problem>, node: &Node) {
        for problem in problems {
            let at = node.find(problem.field()).origin;
            if !self.context.bad.contains(&at) {
                self.context.report(messages::problem(&problem, node));
            }
        }
    }

    pub(crate) fn keep<T>(&mut self, result: Result<T, Problems>, node: &Node) -> Option<T> {
        result.map_err(|problems| self.problems(problems, node)).ok()
    }

    /// Reports a key that a table lacks.
    pub(crate) fn missing(&mut self, node: &Node, key: &str, help: &str) {
        if node.as_table().is_some_and(|table| !table.has(key)) {
            self.context.report(messages::missing_key(node.origin, key, help));
        }
    }
}
