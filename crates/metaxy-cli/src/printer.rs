//! The way out: data to stdout, talk to stderr.
//!
//! Stdout is buffered, and remembers when its reader is gone: that ends a command early, but is no failure.

use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal as _, Write};

use anstyle::{AnsiColor, Style};
use clap::ColorChoice;
use ducklake_sql::mask_credentials;
use metaxy_config::{Diagnostics, Location, Severity};

use crate::error::Error;
use crate::pager::Paged;
use crate::visible::visible;

/// What writes for a command. As a [`Write`] it is stdout.
#[derive(Debug)]
pub(crate) struct Printer {
    out: Out,
    reader_is_gone: bool,
    has_written: bool,
    color: ColorChoice,
    talk: Talk,
    /// What is to be said on stderr once the pager has left the screen.
    held: String,
}

/// Where data goes.
#[derive(Debug)]
enum Out {
    Stdout(BufWriter<io::StdoutLock<'static>>),
    Terminal(Paged),
    Memory(Vec<u8>),
}

impl Out {
    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Stdout(out) => out,
            Self::Terminal(out) => out,
            Self::Memory(out) => out,
        }
    }

    /// Whether a pager has the screen.
    fn is_in_pager(&self) -> bool {
        matches!(self, Self::Terminal(paged) if paged.is_running())
    }
}

/// How much a person wants to hear on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Talk {
    /// Errors only.
    Quiet,
    /// What is worth knowing.
    Usual,
    /// Also what is behind an error.
    Verbose,
}

impl Printer {
    /// One for stdout, with a pager where there is one and it is wanted.
    pub(crate) fn new(color: ColorChoice, talk: Talk, no_pager: bool) -> Self {
        let paged = if no_pager { None } else { Paged::new() };
        let out = paged.map_or_else(|| Out::Stdout(BufWriter::new(io::stdout().lock())), Out::Terminal);
        Self { out, reader_is_gone: false, has_written: false, color, talk, held: String::new() }
    }

    /// One that keeps what is written, and says nothing on stderr but errors.
    pub(crate) fn in_memory() -> Self {
        let (color, talk) = (ColorChoice::Never, Talk::Quiet);
        let out = Out::Memory(Vec::new());
        Self { out, reader_is_gone: false, has_written: false, color, talk, held: String::new() }
    }

    /// What was written, where it is kept.
    pub(crate) fn into_text(self) -> String {
        match self.out {
            Out::Memory(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Out::Stdout(_) | Out::Terminal(_) => String::new(),
        }
    }

    /// Leaves stdout to something else.
    pub(crate) fn release_stdout(&mut self) -> io::Result<()> {
        self.flush()?;
        self.out = Out::Memory(Vec::new());
        Ok(())
    }

    /// Whether the person wants to hear of errors only.
    pub(crate) fn is_quiet(&self) -> bool {
        self.talk == Talk::Quiet
    }

    /// Whether the reader of stdout left before the end.
    pub(crate) fn reader_is_gone(&self) -> bool {
        self.reader_is_gone
    }

    /// Whether there is data on stdout already.
    pub(crate) fn has_written(&self) -> bool {
        self.has_written
    }

    /// Writes a JSON document to stdout.
    pub(crate) fn json(&mut self, document: &impl serde::Serialize) -> Result<(), Error> {
        serde_json::to_writer_pretty(&mut *self, document).map_err(io::Error::from)?;
        writeln!(self)?;
        Ok(())
    }

    /// Whether data on stdout is to have colours.
    pub(crate) fn has_color(&self) -> bool {
        uses_color(self.color, &io::stdout())
    }

    /// Writes diagnostics to stdout, each with its place in the source.
    pub(crate) fn diagnostics(&mut self, diagnostics: &Diagnostics) -> Result<(), Error> {
        let rendered = diagnostics.render(style(self.has_color()));
        Ok(self.write_all(rendered.as_bytes())?)
    }

    /// Writes a text that another program may read as it is, to stdout.
    pub(crate) fn script(&mut self, text: &str) -> io::Result<()> {
        if io::stdout().is_terminal() {
            self.write_fmt(format_args!("{text}"))
        } else {
            self.write_all(text.as_bytes())
        }
    }

    /// Says something to the person, unless they want quiet.
    pub(crate) fn note(&mut self, text: impl Display) {
        if !self.is_quiet() {
            self.say(format_args!("{}\n", visible(&text.to_string())));
        }
    }

    /// Warns the person, unless they want quiet.
    pub(crate) fn warn(&mut self, text: impl Display, help: Option<&str>) {
        if !self.is_quiet() {
            self.headed("warning", AnsiColor::Yellow, &text);
            if let Some(help) = help {
                self.headed("  help", AnsiColor::Cyan, &help);
            }
        }
    }

    /// Takes how a store was closed after all was done: where what was stored is only not in the file that it belongs into,
    /// that is a warning.
    pub(crate) fn closed<T>(&mut self, closed: Result<T, metaxy_store_duckdb::Error>) -> Result<(), Error> {
        match closed {
            Err(error) if error.is_kept_in_log() => {
                let what = format_args!("all is stored, in the log beside the catalog's file: {error}").to_string();
                self.warn(what, error.help().as_deref());
                Ok(())
            }
            closed => closed.map(drop).map_err(Error::Lake),
        }
    }

    /// Passes on the warnings that are about the whole configuration, or about the store that is meant.
    pub(crate) fn warnings(&mut self, diagnostics: &Diagnostics, store: Option<&str>) {
        for diagnostic in diagnostics {
            let concerns = diagnostic.stores().next().is_none() || diagnostic.stores().any(|name| Some(name) == store);
            if diagnostic.severity() != Severity::Warning || !concerns {
                continue;
            }
            let message = diagnostic.message();
            match diagnostics.location(diagnostic) {
                Some(Location::File { path, line, column, .. }) => {
                    let place = format_args!("{message} ({}:{line}:{column})", path.display()).to_string();
                    self.warn(place, diagnostic.help());
                }
                _ => self.warn(message, diagnostic.help()),
            }
        }
    }

    /// Says why the command failed.
    pub(crate) fn error(&mut self, error: &Error) {
        if let Error::Diagnostics(diagnostics) | Error::Features(diagnostics) = error {
            let style = style(self.err_has_color());
            self.say(format_args!("{}", diagnostics.render(style)));
            return;
        }
        if let Error::Untrusted { diagnostics, .. } = error {
            let style = style(self.err_has_color());
            self.say(format_args!("{}", diagnostics.render(style)));
        }
        self.failure(error, error.help().as_deref());
        if self.talk == Talk::Verbose {
            self.sources(error);
        }
    }

    /// Says what failed, and what to do about it.
    pub(crate) fn failure(&mut self, what: impl Display, help: Option<&str>) {
        self.headed("error", AnsiColor::Red, &what);
        if let Some(help) = help {
            self.headed("help", AnsiColor::Cyan, &help);
        }
    }

    /// Says what the sources of an error say, as far as the error does not.
    fn sources(&mut self, error: &Error) {
        let told = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(error) = source {
            let text = error.to_string();
            if !told.contains(&text) {
                self.headed("caused by", AnsiColor::Red, &text);
            }
            source = error.source();
        }
    }

    fn headed(&mut self, head: &str, color: AnsiColor, text: &dyn Display) {
        let style = if self.err_has_color() { color.on_default().bold() } else { Style::new() };
        let text = text.to_string();
        self.say(format_args!("{style}{head}{style:#}: {}\n", visible(&mask_credentials(&text))));
    }

    /// Writes to stderr, after all data before it. Nobody is left to be told when that fails.
    fn say(&mut self, text: std::fmt::Arguments<'_>) {
        if self.out.is_in_pager() {
            self.held.push_str(&text.to_string());
        } else {
            drop(self.flush());
            drop(io::stderr().lock().write_fmt(text));
        }
    }

    fn err_has_color(&self) -> bool {
        uses_color(self.color, &io::stderr())
    }

    fn note_reader<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result {
            self.reader_is_gone |= error.kind() == io::ErrorKind::BrokenPipe;
        }
        result
    }
}

impl Write for Printer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.has_written = true;
        let result = self.out.writer().write(bytes);
        self.note_reader(result)
    }

    /// Text that is formatted is for people: it has names and values of others, which must not steer the terminal.
    fn write_fmt(&mut self, text: std::fmt::Arguments<'_>) -> io::Result<()> {
        self.write_all(visible(&text.to_string()).as_bytes())
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.out.writer().flush();
        drop(io::stderr().lock().write_all(std::mem::take(&mut self.held).as_bytes()));
        self.note_reader(result)
    }
}

fn style(color: bool) -> metaxy_config::Style {
    if color { metaxy_config::Style::Coloured } else { metaxy_config::Style::Plain }
}

/// Whether a stream gets colours: on `auto` a terminal does, unless `NO_COLOR` and its like say otherwise.
fn uses_color(choice: ColorChoice, stream: &(impl anstream::stream::RawStream + io::IsTerminal)) -> bool {
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => anstream::AutoStream::choice(stream) != anstream::ColorChoice::Never,
    }
}
