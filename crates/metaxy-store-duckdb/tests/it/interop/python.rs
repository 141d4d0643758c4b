//! Python Metaxy: a process that answers lines of JSON.

use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::thread;

use metaxy_testkit::deps;
use serde_json::{Value, json};

use crate::interop::pair::{Changes, Feature, Implementation, Refused};

/// What the process runs, and where a module of its is.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/interop/peer.py");
const MODULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../xtask/peer");

/// Processes that no test uses now: those for lakes with structs, and those for lakes with maps. What Python imports for
/// maps changes what was imported before, but not all of it. They end when their input is closed, with this program.
static IDLE: [Mutex<Vec<Python>>; 2] = [const { Mutex::new(Vec::new()) }; 2];

/// A process that a test has to itself, and leaves for the next one unless it failed.
pub(crate) struct Borrowed {
    /// `None` only while it is dropped.
    python: Option<Python>,
    idle: &'static Mutex<Vec<Python>>,
}

impl Borrowed {
    /// A process for lakes with maps, or for those with structs.
    pub(crate) fn new(maps: bool) -> Self {
        let idle = &IDLE[usize::from(maps)];
        let python = idle.lock().unwrap().pop();
        Self { python: Some(python.unwrap_or_else(Python::start)), idle }
    }
}

impl Deref for Borrowed {
    type Target = Python;

    fn deref(&self) -> &Python {
        self.python.as_ref().unwrap()
    }
}

impl DerefMut for Borrowed {
    fn deref_mut(&mut self) -> &mut Python {
        self.python.as_mut().unwrap()
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.idle.lock().unwrap().extend(self.python.take());
        }
    }
}

pub(crate) struct Python {
    process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    is_open: bool,
}

impl Python {
    /// Starts the process; importing Metaxy takes a second.
    pub(crate) fn start() -> Self {
        let mut command = Command::new(deps().peer());
        // Metaxy 0.1.11 takes what a store's configuration leaves out from variables like `DATABASE`.
        command.env_clear().envs(["PATH", "HOME", "TMPDIR"].map(|name| (name, env::var_os(name).unwrap_or_default())));
        command.env("PYTHONPATH", MODULES).env("PYTHONUTF8", "1").env("PYTHONDONTWRITEBYTECODE", "1");
        let mut process = command.arg(SCRIPT).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (requests, answers) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        Self { process, requests, answers: BufReader::new(answers), is_open: false }
    }

    /// Reads the configuration that both share.
    pub(crate) fn configure(&mut self, file: &Path) {
        self.close();
        let version = self.ask(&json!({"do": "configure", "file": file})).unwrap();
        assert_eq!(version, "0.1.11");
    }

    /// Makes a folder the working directory, where Python's relative paths start.
    pub(crate) fn enter(&mut self, folder: &Path) {
        self.ask(&json!({"do": "enter", "folder": folder})).unwrap();
    }

    /// Defines features, and tells what Python makes of them.
    pub(crate) fn define(&mut self, features: &[Feature]) -> Result<Value, Refused> {
        let feature = |feature: &Feature| {
            let columns = feature.columns.iter().map(|(name, of)| (name.clone(), of.as_str().into()));
            let columns: serde_json::Map<String, Value> = columns.collect();
            json!({"spec": feature.spec, "columns": columns, "doc": feature.doc})
        };
        self.ask(&json!({"do": "graph", "features": features.iter().map(feature).collect::<Vec<_>>()}))
    }

    fn ask(&mut self, request: &Value) -> Result<Value, Refused> {
        writeln!(self.requests, "{request}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        assert!(!answer.is_empty(), "Python ended at {request}: {:?}", self.process.wait());
        let mut answer: Value = serde_json::from_str(&answer).unwrap();
        match answer.get("error") {
            Some(error) => {
                let text = |name: &str| error[name].as_str().unwrap().to_owned();
                Err(Refused { kind: text("type"), message: text("message") })
            }
            None => Ok(answer["ok"].take()),
        }
    }

    /// Asks for something about the lake.
    fn ask_lake(&mut self, request: &Value) -> Result<Value, Refused> {
        if !self.is_open {
            self.ask(&json!({"do": "open"}))?;
            self.is_open = true;
        }
        self.ask(request)
    }
}

impl Python {
    /// Writes a lock file of features that were pushed to the open lake; whether it was another one.
    pub(crate) fn lock(&mut self, path: &str, keys: &[&str]) -> Result<bool, Refused> {
        let changed = self.ask_lake(&json!({"do": "lock", "path": path, "keys": keys}))?;
        Ok(changed == true)
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // Nothing more can be done about a process that does not end.
        drop(self.process.kill().and_then(|()| self.process.wait()));
    }
}

impl Implementation for Python {
    fn name(&self) -> &'static str {
        "Python"
    }

    fn close(&mut self) {
        if std::mem::take(&mut self.is_open) {
            self.ask(&json!({"do": "close"})).unwrap();
        }
    }

    fn write(&mut self, feature: &str, rows: &[Value]) -> Result<(), Refused> {
        self.ask_lake(&json!({"do": "write", "feature": feature, "rows": rows})).map(drop)
    }

    fn read(&mut self, feature: &str, history: bool) -> Result<Vec<Value>, Refused> {
        let rows = self.ask_lake(&json!({
            "do": "read", "feature": feature, "include_soft_deleted": history, "with_sample_history": history,
        }))?;
        Ok(into_rows(rows))
    }

    fn resolve(&mut self, feature: &str, samples: Option<&[Value]>) -> Result<Changes, Refused> {
        let mut changes = self.ask_lake(&json!({"do": "resolve", "feature": feature, "samples": samples}))?;
        Ok(["new", "stale", "orphaned"].map(|change| into_rows(changes[change].take())))
    }

    fn write_increment(&mut self, feature: &str, change: usize) -> Result<(), Refused> {
        let change = ["new", "stale", "orphaned"][change];
        self.ask_lake(&json!({"do": "write_increment", "feature": feature, "change": change})).map(drop)
    }

    fn delete(&mut self, feature: &str, filter: &str) -> Result<(), Refused> {
        self.ask_lake(&json!({"do": "delete", "feature": feature, "filters": [filter], "soft": true})).map(drop)
    }

    fn push(&mut self) -> Result<(String, bool), Refused> {
        let pushed = self.ask_lake(&json!({"do": "push", "tags": {"by": "python"}}))?;
        Ok((pushed["project_version"].as_str().unwrap().to_owned(), pushed["already_pushed"].as_bool().unwrap()))
    }

    fn load_graph(&mut self, project_version: &str) -> Result<Vec<(String, String, String)>, Refused> {
        let loaded = self.ask_lake(&json!({"do": "load_graph", "project_version": project_version}))?;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let loaded = loaded.as_object().unwrap().iter();
        let mut features: Vec<_> = loaded
            .map(|(key, feature)| (key.clone(), text(&feature["feature"]), text(&feature["definition"])))
            .collect();
        features.sort();
        Ok(features)
    }
}

fn into_rows(rows: Value) -> Vec<Value> {
    match rows {
        Value::Array(rows) => rows,
        other => panic!("{other} are no rows"),
    }
}
