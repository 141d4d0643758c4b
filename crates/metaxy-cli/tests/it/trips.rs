//! How often commands wait for the server of a catalog: counts that must not grow unseen.

use std::fmt::Write as _;

use metaxy_testkit::{Database, Postgres, Proxy, TempDir, deps};

use crate::run::{metaxy, run};

const FEATURES: &str = "
[[feature]]
key = 'a'
id_columns = ['id']

[[feature]]
key = 'b'
id_columns = ['id']
deps = ['a']
";

fn config(database: &Database<'_>, proxy: &Proxy) -> String {
    format!(
        "store = 'one'\nproject = 'demo'\n\
         [ext.rust]\nfeatures = ['features.toml']\n\
         [stores.one]\ntype = 'duckdb'\n\
         [stores.one.config]\nauto_create_tables = true\n\
         [stores.one.config.config]\nextension_directory = '{}'\nthreads = 1\n\
         [stores.one.config.ducklake]\nalias = 'lake'\n\
         [stores.one.config.ducklake.catalog]\ntype = 'postgres'\nsecret_name = 'catalog'\n\
         host = '{}'\nport = {}\ndatabase = '{}'\nuser = '{}'\npassword = '''{}'''\nsecret_parameters = {{ sslmode = 'disable' }}\n\
         [stores.one.config.ducklake.storage]\ntype = 'local'\npath = 'data'\n",
        deps().extensions().display(),
        database.host(),
        proxy.port(),
        database.name(),
        database.owner().user,
        database.owner().password,
    )
}

/// A project of two features whose catalog is behind the proxy, with an input file of 20 rows for either.
pub(crate) fn project(database: &Database<'_>, proxy: &Proxy) -> TempDir {
    let folder = TempDir::new();
    folder.write("metaxy.toml", config(database, proxy));
    folder.write("features.toml", FEATURES);
    let row = |id: u32| format!(r#"{{"id": "{id}", "metaxy_provenance_by_field": {{"default": "1"}}}}"#);
    folder.write("rows.jsonl", (0..20).map(row).collect::<Vec<_>>().join("\n"));
    folder
}

#[test]
fn round_trips_to_a_catalog_on_postgresql() {
    let database = Postgres::shared().database();
    let proxy = Proxy::before(database.port());
    let folder = project(&database, &proxy);
    let mut counts = String::new();
    for (line, is_counted) in [
        ("push", true),
        ("metadata write --feature a rows.jsonl", false),
        ("metadata write --feature b rows.jsonl", true),
        ("metadata write --feature b rows.jsonl", true),
        ("sql select(1)", true),
        ("list features", true),
        ("metadata status a", true),
        ("metadata status b", true),
        ("metadata status --all-features", true),
        ("metadata increment b", true),
        ("metadata read a", true),
        ("metadata delete a --filter id='1'", true),
        ("history", true),
        ("doctor", true),
    ] {
        proxy.take();
        let words: Vec<&str> = line.split(' ').collect();
        let ran = run(&mut metaxy(&folder, &words), "");
        assert_eq!(ran.exit, 0, "{line}: {}", ran.stderr);
        let traffic = proxy.take();
        if is_counted {
            writeln!(
                counts,
                "{line:40} {:3} round trips, {:2} transactions, {} connections",
                traffic.round_trips, traffic.transactions, traffic.connections,
            )
            .expect("a String takes all");
        }
    }
    insta::assert_snapshot!(counts, @"
    push                                     174 round trips,  7 transactions, 3 connections
    metadata write --feature b rows.jsonl    112 round trips,  5 transactions, 1 connections
    metadata write --feature b rows.jsonl     97 round trips,  5 transactions, 1 connections
    sql select(1)                             47 round trips,  4 transactions, 1 connections
    list features                              0 round trips,  0 transactions, 0 connections
    metadata status a                         71 round trips,  3 transactions, 1 connections
    metadata status b                         80 round trips,  3 transactions, 1 connections
    metadata status --all-features            87 round trips,  3 transactions, 1 connections
    metadata increment b                      80 round trips,  3 transactions, 1 connections
    metadata read a                           89 round trips,  5 transactions, 1 connections
    metadata delete a --filter id='1'        108 round trips,  4 transactions, 1 connections
    history                                   67 round trips,  3 transactions, 1 connections
    doctor                                   208 round trips, 29 transactions, 3 connections
    ");
}
