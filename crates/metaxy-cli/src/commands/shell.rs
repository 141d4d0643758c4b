//! `metaxy shell`: SQL typed line by line, on a lake that stays attached.
//!
//! What is typed up to a `;` is run as `metaxy sql` runs it. Lines of a `\` or a `.` are commands of the shell itself.

mod editor;

use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use arrow::array::AsArray as _;
use ducklake_sql::{Ident, Sql as Statement, sql};
use metaxy_feature::FeatureKey;
use metaxy_store_duckdb::Store;
use rustyline::error::ReadlineError;

use self::editor::{COMMANDS, Editor, Words};
use super::sql;
use crate::args::Shell;
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::features;
use crate::printer::Printer;

pub(crate) fn run(args: &Shell, context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    let loaded = context.load()?;
    let name = context.store_name(&loaded.config).to_owned();
    let prefix = loaded.config.store(&name).map_err(Error::store)?.table_prefix.clone();
    let store = sql::open(&args.on, context, &loaded, printer)?;
    let keys = features::of_files(&loaded.config)?.map(|graph| graph.iter().map(|it| it.key().to_string()).collect());
    let words = Words { names: names(&store)?, features: keys.unwrap_or_default() };
    let mut editor = Editor::new(words)?;
    printer.note(format_args!(
        "`{}` is open to {}; `\\?` shows the commands",
        name.escape_debug(),
        args.on.mode_word()
    ));
    let mut session = Session { args, store: &store, prefix, printer };
    loop {
        match editor.read_line() {
            Ok(line) => match session.run(&line) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) if error.is_interrupted() || session.printer.reader_is_gone() => return Err(error),
                // A mistake ends nothing.
                Err(error) => session.printer.failure(&error, error.help().as_deref()),
            },
            // Ctrl-C drops the line, Ctrl-D ends the session.
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(Error::Terminal(error.to_string())),
        }
        session.printer.flush()?;
    }
    editor.save();
    printer.closed(store.close())?;
    Ok(Exit::Done)
}

/// What lines are run on.
struct Session<'s> {
    args: &'s Shell,
    store: &'s Store,
    /// What the names of feature tables begin with.
    prefix: String,
    printer: &'s mut Printer,
}

impl Session<'_> {
    /// Runs what was typed; false when that is the end.
    fn run(&mut self, line: &str) -> Result<bool, Error> {
        let line = line.trim();
        let (command, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let argument = argument.trim().trim_end_matches(';');
        match (command.trim_end_matches(';'), argument) {
            ("", _) => {}
            ("\\q" | ".quit" | ".exit", _) => return Ok(false),
            ("\\?" | ".help", _) => {
                for (command, what) in COMMANDS {
                    self.printer.note(format_args!("{command:<14} {what}"));
                }
            }
            ("\\d" | ".tables", "") => self.run_sql("SHOW TABLES")?,
            ("\\d" | ".schema", table) => {
                let describe = self.describe(table)?;
                self.timed(|session| {
                    let connection = session.store.connection();
                    session.results().stream(connection, &describe)
                })?;
            }
            (".read", "") => return Err(Error::Usage { message: "no file is named", help: "write `.read FILE`" }),
            (".read", file) => {
                let path = Path::new(file);
                let text = std::fs::read_to_string(path).map_err(|error| Error::file("reading", path, error))?;
                self.run_sql(&text)?;
            }
            (command, _) if command.starts_with(['\\', '.']) => {
                return Err(Error::Usage {
                    message: "the shell has no such command",
                    help: "`\\?` shows the commands",
                });
            }
            _ => self.run_sql(line)?,
        }
        Ok(true)
    }

    fn run_sql(&mut self, text: &str) -> Result<(), Error> {
        let statements = Statement::script(text);
        self.timed(|session| {
            let (store, results) = (session.store, session.results());
            sql::run_script(store, text, &statements, results)
        })
    }

    /// Runs something and says how long it took.
    fn timed(&mut self, run: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        let start = Instant::now();
        run(self)?;
        let seconds = start.elapsed().as_secs_f64();
        self.printer.note(format_args!("{seconds:.3} s"));
        Ok(())
    }

    fn results(&mut self) -> sql::Results<'_> {
        sql::Results::new(self.args.on.mode, self.args.format, self.printer, None)
    }

    /// The statement that describes a table, which may be named by its feature.
    fn describe(&self, name: &str) -> Result<Statement, Error> {
        let table = match name.parse::<FeatureKey>() {
            Ok(key) if name.contains('/') => [self.prefix.as_str(), &key.table_name()].concat(),
            _ => name.to_owned(),
        };
        let ident = |part: &str| {
            let bare = part.strip_prefix('"').and_then(|part| part.strip_suffix('"')).unwrap_or(part);
            Ident::new(bare.replace("\"\"", "\""))
                .map_err(|problem| Error::InvalidTable { message: problem.to_string() })
        };
        match table.split_once('.') {
            Some((schema, table)) => {
                let (schema, table) = (ident(schema)?, ident(table)?);
                Ok(sql!("DESCRIBE {schema}.{table}", schema, table))
            }
            None => Ok(sql!("DESCRIBE {table}", table = ident(&table)?)),
        }
    }
}

/// The names of the lake's tables and columns.
fn names(store: &Store) -> Result<Vec<String>, Error> {
    let names = store.connection().query(
        "SELECT table_name AS name FROM duckdb_tables() WHERE database_name = current_database()
         UNION
         SELECT column_name FROM duckdb_columns() WHERE database_name = current_database()
         ORDER BY name",
    );
    let mut found = Vec::new();
    for batch in names.map_err(Error::Lake)? {
        let batch = batch.map_err(Error::Lake)?;
        found.extend(batch.column(0).as_string_opt::<i32>().into_iter().flatten().flatten().map(str::to_owned));
    }
    Ok(found)
}
