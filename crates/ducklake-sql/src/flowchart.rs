//! A plan as a flowchart of Mermaid: the statements in order, and which secret, catalog and storage each needs.

use std::fmt::Write as _;

use crate::credentials::mask_credentials;
use crate::secret::{CreateSecret, SecretType};
use crate::statement::Statement;
use crate::value::MASK;
use crate::{AttachPlan, Value};

impl AttachPlan {
    /// The plan as a flowchart of [Mermaid](https://mermaid.js.org): an arrow leads from a statement to the next, and a dotted
    /// one to what it needs. It holds no secret.
    ///
    /// ```
    /// use ducklake_sql::{Catalog, CatalogFile, Lake, LocalFolder, Mode, Session};
    ///
    /// let catalog = Catalog::DuckDb(CatalogFile::new("/srv/lake/meta.ducklake")?);
    /// let lake = Lake::builder(catalog, LocalFolder::new("/srv/lake/data")?).build()?;
    /// let chart = lake.plan(&Session::default(), Mode::Read).to_mermaid();
    /// assert!(chart.contains(r#"[("catalog<br/>duckdb:/srv/lake/meta.ducklake")]"#), "{chart}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_mermaid(&self) -> String {
        let mut chart = Chart { statements: self.statements(), resources: Vec::new(), needs: Vec::new() };
        for (at, statement) in chart.statements.iter().enumerate() {
            chart.add_needs(at, statement);
        }
        let mut text = String::from("flowchart TB\n");
        // Writing to a text cannot fail.
        for (at, statement) in chart.statements.iter().enumerate() {
            let _ = writeln!(text, "    s{at}[\"{}\"]", label(statement));
        }
        for (at, (kind, name)) in chart.resources.iter().enumerate() {
            let _ = writeln!(text, "    r{at}[(\"{kind}<br/>{}\")]", escaped(name));
        }
        let chain: Vec<String> = (0..chart.statements.len()).map(|at| format!("s{at}")).collect();
        if chain.len() > 1 {
            let _ = writeln!(text, "    {}", chain.join(" --> "));
        }
        for (from, to) in &chart.needs {
            let _ = match to {
                Need::Statement(to) => writeln!(text, "    s{from} -. needs .-> s{to}"),
                Need::Resource(to) => writeln!(text, "    s{from} -.-> r{to}"),
            };
        }
        text
    }
}

/// What the statements need.
struct Chart<'p> {
    statements: &'p [Statement],
    /// What kind each is, and its name or path.
    resources: Vec<(&'static str, String)>,
    needs: Vec<(usize, Need)>,
}

/// What a statement needs, by its place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    Statement(usize),
    Resource(usize),
}

impl Chart<'_> {
    fn add_needs(&mut self, at: usize, statement: &Statement) {
        match statement {
            Statement::CreateSecret(secret) => self.add_needs_of_secret(at, secret),
            Statement::ProbeStorage(path) => self.add(at, "storage", path.as_str()),
            Statement::CreateDatabase(database) => self.add(at, "storage", database.data_path.as_str()),
            Statement::Attach(attach) => self.add_secret(at, attach.secret.as_str()),
            Statement::AttachFile(file) => self.add(at, "database", file.path.as_str()),
            Statement::AttachMotherDuck => self.add(at, "catalog", "MotherDuck"),
            Statement::Set(_)
            | Statement::Install(_)
            | Statement::Load(_)
            | Statement::Init(_)
            | Statement::Use(_)
            | Statement::UseMain(_)
            | Statement::Detach(_)
            | Statement::DropSecret(_) => {}
        }
    }

    fn add_needs_of_secret(&mut self, at: usize, secret: &CreateSecret) {
        let text = |option: &str| secret.get(option).and_then(shown).filter(|text| !text.is_empty());
        match secret.kind() {
            SecretType::Postgres | SecretType::Quack => {
                let parts = ["HOST", "URI", "DATABASE"].iter().filter_map(|option| text(option));
                let server = parts.collect::<Vec<_>>().join("/");
                self.add(at, "catalog", if server.is_empty() { secret.kind().as_str() } else { &server });
            }
            SecretType::DuckLake => {
                if let Some(path) = text("METADATA_PATH") {
                    self.add(at, "catalog", &path);
                }
                if let Some(path) = text("DATA_PATH") {
                    self.add(at, "storage", &path);
                }
                if let Some(Value::Map(parameters)) = secret.get("METADATA_PARAMETERS") {
                    let named = parameters.iter().find(|(name, _)| name.eq_ignore_ascii_case("SECRET"));
                    if let Some(name) = named.and_then(|(_, value)| shown(value)) {
                        self.add_secret(at, &name);
                    }
                }
            }
            _ => {
                if let Some(scope) = text("SCOPE") {
                    self.add(at, "storage", &scope);
                }
            }
        }
    }

    /// A secret: the statement that creates it, or one that DuckDB has already.
    fn add_secret(&mut self, at: usize, name: &str) {
        let creates = |statement: &Statement| matches!(statement, Statement::CreateSecret(secret) if secret.name().as_str() == name);
        match self.statements.iter().position(creates) {
            Some(to) => self.needs.push((at, Need::Statement(to))),
            None => self.add(at, "secret of DuckDB", name),
        }
    }

    fn add(&mut self, at: usize, kind: &'static str, name: &str) {
        let resource = (kind, mask_credentials(name).into_owned());
        let found = self.resources.iter().position(|known| *known == resource).unwrap_or_else(|| {
            self.resources.push(resource);
            self.resources.len() - 1
        });
        self.needs.push((at, Need::Resource(found)));
    }
}

/// What may be shown of a value; `None` for what is no text.
fn shown(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(mask_credentials(text).into_owned()),
        Value::Secret(_) => Some(MASK.to_owned()),
        Value::List(items) => Some(items.iter().filter_map(shown).collect::<Vec<_>>().join(", ")),
        Value::Integer(_) | Value::Boolean(_) | Value::Map(_) => None,
    }
}

/// A statement in a few words.
fn label(statement: &Statement) -> String {
    let subject = match statement {
        Statement::Set(setting) => setting.name().to_string(),
        Statement::Install(extension) | Statement::Load(extension) => extension.name().to_string(),
        Statement::CreateSecret(secret) => format!("{} ({})", secret.name(), secret.kind().as_str()),
        Statement::CreateDatabase(database) => database.name.to_string(),
        Statement::Attach(attach) => attach.alias.to_string(),
        Statement::AttachFile(file) => file.alias.to_string(),
        Statement::Use(alias) | Statement::UseMain(alias) | Statement::Detach(alias) => alias.to_string(),
        Statement::DropSecret(name) => name.to_string(),
        Statement::Init(_) | Statement::ProbeStorage(_) | Statement::AttachMotherDuck => String::new(),
    };
    escaped(&format!("{} {subject}", statement.name())).trim_end().to_owned()
}

/// A text in a label of Mermaid, which knows HTML's entities with `#`.
fn escaped(text: &str) -> String {
    text.chars()
        .map(|char| match char {
            '"' | '<' | '>' | '&' | '#' | '`' => format!("#{};", u32::from(char)),
            char if char.is_control() => " ".to_owned(),
            char => char.to_string(),
        })
        .collect()
}
