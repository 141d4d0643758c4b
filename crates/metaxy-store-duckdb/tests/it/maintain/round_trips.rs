//! Random lakes through random sequences of what is done to a lake as a whole: maintained, moved, backed up and restored. Each
//! table of each snapshot stays what it was, and so do the views.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::AsArray as _;
use ducklake_sql::{Mode, Sql};
use metaxy_config::{Config, LoadOptions, OsSystem, Trust};
use metaxy_store_duckdb::{CatalogMigration, DataMigration, MaintainOptions, Store};
use metaxy_testkit::{Database, Postgres, TempDir, deps};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config as Cases, RngAlgorithm, TestRng, TestRunner};

use crate::lake::{postgres, texts};

const KINDS: [&str; 3] = ["sqlite", "duckdb", "postgres"];

/// Types of columns, and a value of each for a row of `range`.
const TYPES: [(&str, &str); 9] = [
    ("BIGINT", "range * 7"),
    ("VARCHAR", "'it''s ' || range"),
    ("DOUBLE", "range / 3"),
    ("DATE", "DATE '2020-01-01' + range::INTEGER * 40"),
    ("TIMESTAMP", "TIMESTAMP '2020-01-01 01:02:03.000004' + INTERVAL 1 HOUR * range"),
    ("DECIMAL(18, 3)", "range::DECIMAL(18, 3) / 8"),
    ("VARCHAR[]", "['a', NULL, 'x' || range]"),
    ("STRUCT(a BIGINT, b VARCHAR)", "{'a': range, 'b': 'b' || range}"),
    ("BLOB", "('x' || range)::BLOB"),
];

/// What happens to a lake.
#[derive(Debug, Clone)]
enum Action {
    Create { columns: Vec<Index> },
    Insert { table: Index, rows: usize },
    Update { table: Index, every: usize },
    Delete { table: Index, every: usize },
    AddColumn { table: Index, of: Index },
    DropColumn { table: Index, column: Index },
    RenameTable { table: Index },
    DropTable { table: Index },
    Partition { table: Index },
    View { table: Index },
    Maintain,
    MoveCatalog { to: Index },
    Restore { into: Index },
    MoveData,
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let index = any::<Index>;
    let rows = prop::sample::select(vec![1_usize, 4, 60]);
    let statement = prop_oneof![
        2 => prop::collection::vec(index(), 1..4).prop_map(|columns| Action::Create { columns }),
        6 => (index(), rows).prop_map(|(table, rows)| Action::Insert { table, rows }),
        2 => (index(), 2..9_usize).prop_map(|(table, every)| Action::Update { table, every }),
        3 => (index(), 2..9_usize).prop_map(|(table, every)| Action::Delete { table, every }),
        2 => (index(), index()).prop_map(|(table, of)| Action::AddColumn { table, of }),
        1 => (index(), index()).prop_map(|(table, column)| Action::DropColumn { table, column }),
        1 => index().prop_map(|table| Action::RenameTable { table }),
        1 => index().prop_map(|table| Action::DropTable { table }),
        1 => index().prop_map(|table| Action::Partition { table }),
        1 => index().prop_map(|table| Action::View { table }),
    ];
    let whole = prop_oneof![
        2 => Just(Action::Maintain),
        2 => index().prop_map(|to| Action::MoveCatalog { to }),
        1 => index().prop_map(|into| Action::Restore { into }),
        1 => Just(Action::MoveData),
    ];
    // Some of what people do, then something with all of it, again and again.
    let part = (prop::collection::vec(statement, 4..9), whole).prop_map(|(mut all, last)| {
        all.push(last);
        all
    });
    prop::collection::vec(part, 3..5).prop_map(|parts| parts.concat())
}

struct LiveTable {
    name: String,
    /// The names of columns and their types, as indices of [`TYPES`]; besides, each table has an `id`.
    columns: Vec<(String, usize)>,
}

/// A lake, where it is, and what it is known to hold.
struct Lake<'d> {
    folder: TempDir,
    database: &'d Database<'static>,
    kind: &'static str,
    /// The numbers of its catalog and of its data path: each place is used once.
    catalog: usize,
    data: usize,
    tables: Vec<LiveTable>,
    /// How many tables, columns, views and rows there ever were.
    names: usize,
    /// The rows of each table at each snapshot.
    known: BTreeMap<(i64, String), String>,
}

impl<'d> Lake<'d> {
    fn new(database: &'d Database<'static>, kind: &'static str, first: usize) -> Self {
        let (tables, known) = (Vec::new(), BTreeMap::new());
        Self { folder: TempDir::new(), database, kind, catalog: first, data: 0, tables, names: 0, known }
    }

    /// The store `from`, which has the lake, and `to`, which it goes to.
    fn config(&self, (kind, catalog, data): (&str, usize, usize), more: &str) -> Config {
        let own = self.store("from", (self.kind, self.catalog, self.data));
        self.load(&[&own, &self.store("to", (kind, catalog, data)), more].concat())
    }

    fn load(&self, text: &str) -> Config {
        let file = self.folder.write("metaxy.toml", text);
        Config::load(&OsSystem, &LoadOptions::file(&file).trust(Trust::Everything)).unwrap().config
    }

    fn store(&self, name: &str, (kind, number, data): (&str, usize, usize)) -> String {
        let database = self.database;
        let catalog = match kind {
            "postgres" => postgres(database, database.owner(), &format!(", metadata_schema = 'meta_{number}'")),
            kind => format!("{{ type = '{kind}', uri = '{kind}:meta-{number}.{kind}' }}"),
        };
        format!(
            "[stores.{name}]\ntype = 'duckdb'\nconfig.config = {{ extension_directory = '{}', \
                 allow_unsigned_extensions = true, threads = 1 }}\nconfig.ducklake.catalog = {catalog}\n\
                 config.ducklake.storage = {{ type = 'local', path = 'data-{data}' }}\n",
            deps().extensions().display()
        )
    }

    fn open(&self) -> Store {
        let own = self.store("from", (self.kind, self.catalog, self.data));
        Store::open(&self.load(&own), "from", Mode::Write).unwrap()
    }

    fn next(&mut self) -> usize {
        self.names += 1;
        self.names
    }

    fn run(&mut self, statement: &str) {
        println!("{statement};");
        let store = self.open();
        let done = store.transaction(|connection| connection.execute(Sql::user_query(statement)));
        done.unwrap_or_else(|error| panic!("{statement}: {error}"));
        let snapshot = store.snapshots(1).unwrap()[0].id;
        for table in &self.tables {
            self.known.insert((snapshot, table.name.clone()), rows(&store, snapshot, &table.name));
        }
        store.close().unwrap();
    }

    fn act(&mut self, action: Action) {
        println!("-- {action:?}");
        let picked = |table: Index, lake: &Self| (!lake.tables.is_empty()).then(|| table.index(lake.tables.len()));
        match action {
            Action::Create { columns } => {
                let columns: Vec<_> =
                    columns.into_iter().map(|of| (format!("c{}", self.next()), of.index(TYPES.len()))).collect();
                let name = format!("t{}", self.next());
                let list: Vec<_> = columns.iter().map(|(name, of)| format!(", {name} {}", TYPES[*of].0)).collect();
                let statement = format!("CREATE TABLE {name} (id BIGINT{})", list.concat());
                self.tables.push(LiveTable { name, columns });
                self.run(&statement);
            }
            Action::Insert { table, rows } => {
                let Some(table) = picked(table, self) else { return };
                let first = self.next() * 100;
                let LiveTable { name, columns } = &self.tables[table];
                let list: Vec<_> = columns.iter().map(|(_, of)| format!(", {}", TYPES[*of].1)).collect();
                self.run(&format!(
                    "INSERT INTO {name} SELECT range{} FROM range({first}, {})",
                    list.concat(),
                    first + rows
                ));
            }
            Action::Update { table, every } => {
                let Some(table) = picked(table, self) else { return };
                self.run(&format!("UPDATE {} SET id = id + 1000000 WHERE id % {every} = 0", self.tables[table].name));
            }
            Action::Delete { table, every } => {
                let Some(table) = picked(table, self) else { return };
                self.run(&format!("DELETE FROM {} WHERE id % {every} = 1", self.tables[table].name));
            }
            Action::AddColumn { table, of } => {
                let Some(table) = picked(table, self) else { return };
                let (column, of) = (format!("c{}", self.next()), of.index(TYPES.len()));
                let LiveTable { name, columns } = &mut self.tables[table];
                let statement = format!("ALTER TABLE {name} ADD COLUMN {column} {}", TYPES[of].0);
                columns.push((column, of));
                self.run(&statement);
            }
            Action::DropColumn { table, column } => {
                let Some(table) = picked(table, self) else { return };
                let LiveTable { name, columns } = &mut self.tables[table];
                // One by which a table is partitioned is not dropped.
                if columns.len() < 2 {
                    return;
                }
                let (column, _) = columns.remove(column.index(columns.len()));
                let statement = format!("ALTER TABLE {name} DROP COLUMN {column}");
                self.run(&statement);
            }
            Action::RenameTable { table } => {
                let Some(table) = picked(table, self) else { return };
                let name = format!("t{}", self.next());
                let before = std::mem::replace(&mut self.tables[table].name, name.clone());
                self.run(&format!("ALTER TABLE {before} RENAME TO {name}"));
            }
            Action::DropTable { table } => {
                let Some(table) = picked(table, self).filter(|_| self.tables.len() > 1) else { return };
                // Rows of a dropped table that only the catalog has are refused, see `backup.rs`.
                self.whole(Self::maintain);
                let LiveTable { name, .. } = self.tables.remove(table);
                self.run(&format!("DROP TABLE {name}"));
            }
            Action::Partition { table } => {
                let Some(table) = picked(table, self) else { return };
                self.run(&format!("ALTER TABLE {} SET PARTITIONED BY (bucket(3, id))", self.tables[table].name));
            }
            Action::View { table } => {
                let Some(table) = picked(table, self) else { return };
                let view = format!("v{}", self.next());
                self.run(&format!("CREATE VIEW {view} AS SELECT count(*) AS rows FROM {}", self.tables[table].name));
            }
            Action::Maintain => self.whole(Self::maintain),
            Action::MoveCatalog { to } => self.whole(|lake| lake.move_catalog(KINDS[to.index(KINDS.len())])),
            Action::Restore { into } => self.whole(|lake| lake.restore(KINDS[into.index(KINDS.len())])),
            Action::MoveData => self.whole(Self::move_data),
        }
    }

    /// Does something with the lake as a whole, after which it is what it was.
    fn whole(&mut self, what: impl FnOnce(&mut Self)) {
        let views = |lake: &Self| {
            let (store, query) = (
                lake.open(),
                "SELECT view_name || sql FROM duckdb_views() WHERE database_name = 'ducklake' ORDER BY ALL",
            );
            let found = texts(&store, query);
            store.close().unwrap();
            found
        };
        let before = views(self);
        what(self);
        assert_eq!(views(self), before);
        let known: Vec<_> = self.known.iter().collect();
        // After a read as of one snapshot DuckLake may miss a table as of another, see `store/traps.rs`.
        for at_once in known.chunk_by(|((one, _), _), ((other, _), _)| one == other) {
            let store = self.open();
            for ((snapshot, table), known) in at_once {
                let found = rows(&store, *snapshot, table);
                assert!(found == **known, "{table} at {snapshot}:\n{}", difference(known, &found));
            }
            store.close().unwrap();
        }
    }

    fn maintain(&mut self) {
        let store = self.open();
        let done = store.maintain(&MaintainOptions::new().alone(true), |_, _| ()).unwrap();
        assert!(done.failed.is_none(), "{:?}", done.failed);
        store.close().unwrap();
    }

    fn backup(&mut self) -> PathBuf {
        let number = self.next();
        self.folder.path().join(format!("{number}.backup"))
    }

    fn move_catalog(&mut self, to: &'static str) {
        let (backup, catalog) = (self.backup(), self.catalog + 1);
        let config = self.config((to, catalog, self.data), "[ext.rust.lake.to]\nmigrate_from = 'from'\n");
        CatalogMigration::new(&config, "from", "to").unwrap().alone(true).run(&backup, |_| ()).unwrap();
        (self.kind, self.catalog) = (to, catalog);
    }

    fn restore(&mut self, into: &'static str) {
        self.maintain();
        let (backup, catalog) = (self.backup(), self.catalog + 1);
        let store = self.open();
        store.back_up(&backup).unwrap();
        store.close().unwrap();
        let new = self.store("to", (into, catalog, self.data));
        let store = Store::open(&self.load(&new), "to", Mode::Write).unwrap();
        let restored = store.restore(&backup).unwrap();
        assert!(restored.missing.is_empty(), "{restored:?}");
        store.close().unwrap();
        (self.kind, self.catalog) = (into, catalog);
    }

    fn move_data(&mut self) {
        let data = self.data + 1;
        let config = self.config((self.kind, self.catalog, data), "");
        DataMigration::new(&config, "from", "to").unwrap().alone(true).run().unwrap();
        self.data = data;
    }
}

/// The rows of a table at a snapshot, as a text.
fn rows(store: &Store, snapshot: i64, table: &str) -> String {
    let query = format!(
        "SELECT coalesce(string_agg({table}::VARCHAR, chr(10) ORDER BY {table}::VARCHAR), '') \
         FROM {table} AT (VERSION => {snapshot})"
    );
    let mut rows = store.connection().query(Sql::user_query(query)).unwrap();
    rows.next().unwrap().unwrap().column(0).as_string::<i32>().value(0).to_owned()
}

/// What one of two lists has and the other has not.
fn difference(one: &str, other: &str) -> String {
    let has = |lines: &str, line: &str| lines.lines().any(|other| other == line);
    let gone = one.lines().filter(|line| !has(other, line)).map(|line| format!("- {line}\n"));
    let new = other.lines().filter(|line| !has(one, line)).map(|line| format!("+ {line}\n"));
    gone.chain(new).collect()
}

fn check(cases: u32, seed: [u8; 32]) {
    let database = Postgres::shared().database();
    let first = AtomicUsize::new(0);
    let config = Cases { cases, failure_persistence: None, max_shrink_iters: 0, ..Cases::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let lakes = (prop::sample::select(&KINDS), actions());
    let done = runner.run(&lakes, |(kind, actions)| {
        // Schemas of one database are those of different lakes.
        let mut lake = Lake::new(&database, kind, first.fetch_add(100, Ordering::Relaxed));
        lake.act(Action::Create { columns: Vec::new() });
        for action in actions {
            lake.act(action);
        }
        Ok(())
    });
    done.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn lakes_stay_what_they_are() {
    check(3, [7; 32]);
}

#[test]
#[ignore = "takes minutes"]
fn many_lakes_stay_what_they_are() {
    check(100, std::array::from_fn(|index| u8::try_from(index).unwrap()));
}
