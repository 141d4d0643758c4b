//! How often commands wait for the server of a catalog or a storage: counts that must not grow unseen.

use std::fmt::Write as _;

use metaxy_testkit::{Database, KeyRights, Postgres, Proxy, S3Options, S3Server, TempDir, deps};

use crate::run::{metaxy, run};

/// The commands that are counted, after rows of `a` are written.
const COMMANDS: [&str; 14] = [
    "push",
    "metadata write --feature a rows.jsonl",
    "metadata write --feature b rows.jsonl",
    "metadata write --feature b rows.jsonl",
    "sql select(1)",
    "list features",
    "metadata status a",
    "metadata status b",
    "metadata status --all-features",
    "metadata increment b",
    "metadata read a",
    "metadata delete a --filter id='1'",
    "history",
    "doctor",
];

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
    write_project(&folder);
    folder
}

fn write_project(folder: &TempDir) {
    folder.write("features.toml", FEATURES);
    let row = |id: u32| format!(r#"{{"id": "{id}", "metaxy_provenance_by_field": {{"default": "1"}}}}"#);
    folder.write("rows.jsonl", (0..20).map(row).collect::<Vec<_>>().join("\n"));
}

fn done(folder: &TempDir, line: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    let ran = run(&mut metaxy(folder, &words), "");
    assert_eq!(ran.exit, 0, "{line}: {}", ran.stderr);
}

#[test]
fn round_trips_to_a_catalog_on_postgresql() {
    let database = Postgres::shared().database();
    let proxy = Proxy::before(database.port());
    let folder = project(&database, &proxy);
    let mut counts = String::new();
    // Of two tables and the record of features, and of fifty tables more.
    for line in
        COMMANDS.into_iter().chain(["metadata status a", "metadata read a", "metadata write --feature a rows.jsonl"])
    {
        if line == "metadata status a" && counts.contains("doctor") {
            let tables = (0..50).map(|at| format!("CREATE TABLE more_{at} (id VARCHAR)")).collect::<Vec<_>>().join(";");
            assert_eq!(run(&mut metaxy(&folder, &["sql", "--mode", "write", &tables]), "").exit, 0);
        }
        proxy.take();
        done(&folder, line);
        let traffic = proxy.take();
        writeln!(
            counts,
            "{line:40} {:3} round trips, {:2} transactions, {} connections",
            traffic.round_trips, traffic.transactions, traffic.connections,
        )
        .expect("a String takes all");
    }
    insta::assert_snapshot!(counts, @"
    push                                     174 round trips,  7 transactions, 3 connections
    metadata write --feature a rows.jsonl     95 round trips,  5 transactions, 1 connections
    metadata write --feature b rows.jsonl    112 round trips,  5 transactions, 1 connections
    metadata write --feature b rows.jsonl     97 round trips,  5 transactions, 1 connections
    sql select(1)                             55 round trips,  5 transactions, 1 connections
    list features                              0 round trips,  0 transactions, 0 connections
    metadata status a                         77 round trips,  4 transactions, 1 connections
    metadata status b                         86 round trips,  4 transactions, 1 connections
    metadata status --all-features            93 round trips,  4 transactions, 1 connections
    metadata increment b                      86 round trips,  4 transactions, 1 connections
    metadata read a                           95 round trips,  6 transactions, 1 connections
    metadata delete a --filter id='1'        108 round trips,  4 transactions, 1 connections
    history                                   73 round trips,  4 transactions, 1 connections
    doctor                                   259 round trips, 37 transactions, 3 connections
    metadata status a                         83 round trips,  5 transactions, 2 connections
    metadata read a                          101 round trips,  7 transactions, 2 connections
    metadata write --feature a rows.jsonl    105 round trips,  6 transactions, 2 connections
    ");
}

#[test]
fn requests_to_a_storage_on_s3() {
    let server = S3Server::start(S3Options::default());
    server.bucket("lake");
    let key = server.key(KeyRights::Full);
    let folder = TempDir::new();
    let config = format!(
        "store = 'one'\nproject = 'demo'\n\
         [ext.rust]\nfeatures = ['features.toml']\n\
         [stores.one]\ntype = 'duckdb'\n\
         [stores.one.config]\nauto_create_tables = true\n\
         [stores.one.config.config]\nextension_directory = '{}'\nthreads = 1\n\
         [stores.one.config.ducklake]\nalias = 'lake'\n\
         catalog = {{ type = 'sqlite', uri = 'sqlite:meta.sqlite' }}\n\
         [stores.one.config.ducklake.storage]\ntype = 's3'\nsecret_name = 'storage'\nbucket = 'lake'\nprefix = 'prod'\n\
         key_id = '{}'\nsecret = '{}'\nendpoint = '{}'\nregion = '{}'\nurl_style = 'path'\nuse_ssl = false\n",
        deps().extensions().display(),
        key.id,
        key.secret,
        server.endpoint(),
        server.region(),
    );
    folder.write("metaxy.toml", config);
    write_project(&folder);
    let (mut counts, mut before) = (String::new(), 0);
    for line in COMMANDS {
        done(&folder, line);
        let requests = server.requests();
        let count = |wanted: &str| {
            let method = |request: &&String| {
                let method = request.split(' ').nth(1).unwrap_or_default();
                if request.contains("list-type=2") { "LIST" } else { method }.eq(wanted)
            };
            requests[before..].iter().filter(method).count()
        };
        let methods = ["LIST", "HEAD", "GET", "PUT", "DELETE"];
        let numbers = methods.map(|method| format!("{:2} {method}", count(method)));
        assert_eq!(methods.map(count).iter().sum::<usize>(), requests.len() - before, "{:?}", &requests[before..]);
        writeln!(counts, "{line:40} {}", numbers.join(", ")).expect("a String takes all");
        before = requests.len();
    }
    insta::assert_snapshot!(counts, @"
    push                                      1 LIST,  0 HEAD,  0 GET,  0 PUT,  0 DELETE
    metadata write --feature a rows.jsonl     1 LIST,  0 HEAD,  0 GET,  1 PUT,  0 DELETE
    metadata write --feature b rows.jsonl     1 LIST,  0 HEAD,  0 GET,  1 PUT,  0 DELETE
    metadata write --feature b rows.jsonl     1 LIST,  0 HEAD,  0 GET,  1 PUT,  0 DELETE
    sql select(1)                             0 LIST,  0 HEAD,  0 GET,  0 PUT,  0 DELETE
    list features                             0 LIST,  0 HEAD,  0 GET,  0 PUT,  0 DELETE
    metadata status a                         0 LIST,  0 HEAD,  3 GET,  0 PUT,  0 DELETE
    metadata status b                         0 LIST,  0 HEAD,  9 GET,  0 PUT,  0 DELETE
    metadata status --all-features            0 LIST,  0 HEAD,  9 GET,  0 PUT,  0 DELETE
    metadata increment b                      0 LIST,  0 HEAD,  9 GET,  0 PUT,  0 DELETE
    metadata read a                           0 LIST,  0 HEAD,  3 GET,  0 PUT,  0 DELETE
    metadata delete a --filter id='1'         1 LIST,  0 HEAD,  3 GET,  1 PUT,  0 DELETE
    history                                   0 LIST,  0 HEAD,  0 GET,  0 PUT,  0 DELETE
    doctor                                    2 LIST,  0 HEAD,  0 GET,  0 PUT,  0 DELETE
    ");
}
