//! Diagnostics as text: message, file, line, column, the masked source line, help.
//!
//! Only one line of source is shown per label, the first one it points at; the renderer cuts it where it is long.

use annotate_snippets::{AnnotationKind, Group, Level, Origin as Place, Renderer, Snippet};

use crate::diagnostic::{Diagnostic, Diagnostics, Location, Severity};
use crate::mask;
use crate::tree::{Origin, Sources};

/// How wide a shown line may be.
const WIDTH: usize = 140;

/// How many diagnostics are shown: nobody reads more, and each takes a look at the whole file.
const MOST: usize = 100;

/// How long a line may be, in bytes, to be shown: to mask it takes a look at each of its values.
const LONGEST_LINE: usize = 64 * 1024;

/// With or without colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Style {
    /// Text only.
    Plain,
    /// With ANSI colours.
    Coloured,
}

pub(crate) fn render(diagnostics: &Diagnostics, style: Style) -> String {
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Coloured => Renderer::styled(),
    };
    let renderer = renderer.term_width(WIDTH);
    let mut text = String::new();
    for diagnostic in diagnostics.iter().take(MOST) {
        text.push_str(&renderer.render(&[group(diagnostic, &diagnostics.sources)]));
        text.push_str("\n\n");
    }
    if !text.is_empty() {
        text.pop();
    }
    let left_out = diagnostics.iter().len().saturating_sub(MOST);
    if left_out > 0 {
        text.push_str(&["\nand ", &left_out.to_string(), " more\n"].concat());
    }
    text
}

fn group<'a>(diagnostic: &'a Diagnostic, sources: &'a Sources) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(level.primary_title(&diagnostic.message).id(diagnostic.code));
    for (index, label) in diagnostic.labels.iter().enumerate() {
        let kind = if index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
        match sources.location(label.origin) {
            Some(Location::File { path, line, column }) => {
                if let Origin::File { file, start, end } = label.origin
                    && let Some(source) = sources.files.get(file)
                {
                    let of_source = mask::line_of(&source.text, start);
                    if of_source.len() > LONGEST_LINE {
                        group = group.element(Place::path(path.display().to_string()).line(line).char_column(column));
                        continue;
                    }
                    let (text, span) = mask::masked_line(source, &of_source, &(start..end), label.show);
                    let mut annotation = kind.span(span);
                    if !label.text.is_empty() {
                        annotation = annotation.label(label.text);
                    }
                    let snippet = Snippet::source(text).line_start(line).path(path.display().to_string());
                    group = group.element(snippet.annotation(annotation));
                }
            }
            Some(Location::Variable(name)) => {
                group = group.element(Place::path(["environment variable ", &name].concat()));
            }
            None => {}
        }
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(annotate_snippets::normalize_untrusted_str(help)));
    }
    group
}
