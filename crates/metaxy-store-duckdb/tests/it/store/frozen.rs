//! A lake whose catalog is a DuckDB file on a web server or in a bucket: it is read, and never written.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;

use ducklake_sql::{Catalog, CatalogUrl, Lake, Mode};
use metaxy_store_duckdb::{Error, OpenOptions, Store};
use metaxy_testkit::{KeyRights, S3Options, S3Server};

use crate::lake::{TempLake, raw_at, session, value};

/// Serves the files of a folder, whole or a range of bytes, as long as the process runs; the URL of the folder.
fn serve(folder: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            let folder = folder.clone();
            // Whoever breaks a connection off has what it wants.
            thread::spawn(move || answer_all(&connection, &folder).unwrap_or_default());
        }
    });
    url
}

fn answer_all(mut connection: &TcpStream, folder: &Path) -> std::io::Result<()> {
    let mut lines = BufReader::new(connection).lines();
    while let Some(first) = lines.next() {
        let first = first?;
        let (method, path) = first.split_once(' ').unwrap_or_default();
        let path = path.split(' ').next().unwrap_or_default().trim_start_matches('/');
        let mut range = None;
        for header in lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()) {
            let header = header.to_ascii_lowercase();
            range = range.or_else(|| header.strip_prefix("range: bytes=").map(str::to_owned));
        }
        let Ok(content) = fs::read(folder.join(path)) else {
            write!(connection, "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")?;
            continue;
        };
        let last = content.len().saturating_sub(1);
        let bounds = range.filter(|_| method == "GET").map(|range| {
            let (from, to) = range.split_once('-').unwrap_or_default();
            (from.parse().unwrap_or(0), to.parse().unwrap_or(last).min(last))
        });
        let (status, more, body) = match bounds {
            Some((from, to)) => {
                let header = format!("content-range: bytes {from}-{to}/{}\r\n", content.len());
                ("206 Partial Content", header, content.get(from..=to).unwrap_or_default())
            }
            None => ("200 OK", String::new(), &content[..]),
        };
        let length = body.len();
        write!(connection, "HTTP/1.1 {status}\r\naccept-ranges: bytes\r\n{more}content-length: {length}\r\n\r\n")?;
        if method == "GET" {
            connection.write_all(body)?;
        }
    }
    Ok(())
}

fn frozen(url: &str) -> Catalog {
    Catalog::Frozen(CatalogUrl::new(url).unwrap())
}

/// It is read, also by what a person types, and nothing writes to it.
fn check(lake: &Lake) {
    let open = |options: OpenOptions, mode| -> Result<Store, Error> { options.attach(None, lake, &session(), mode) };
    for locked in [false, true] {
        let store = open(OpenOptions::default().lock(locked), Mode::Read).unwrap();
        assert_eq!(value(&store, "SELECT sum(i)::VARCHAR FROM t"), "499500");
        let error = store.connection().execute("INSERT INTO t VALUES (1)").unwrap_err();
        assert!(error.to_string().contains("read"), "{error}");
    }
    let error = open(OpenOptions::default(), Mode::Write).unwrap_err();
    assert!(error.is_read_only(), "{error}");
}

#[test]
fn a_lake_on_a_web_server_is_read() {
    let home = TempLake::new();
    let store =
        Store::attach(&Lake::builder(home.duckdb(), home.data()).build().unwrap(), &session(), Mode::Write).unwrap();
    store.connection().execute("CREATE TABLE t AS SELECT range AS i FROM range(1000)").unwrap();
    store.close().unwrap();
    let url = serve(home.path().to_owned());
    let file = PathBuf::from(home.duckdb().file().unwrap().as_str());
    let update = format!("UPDATE ducklake_metadata SET value = '{url}/data/' WHERE key = 'data_path'; CHECKPOINT");
    raw_at(Some(&file)).execute_batch(&update).unwrap();
    let name = file.file_name().unwrap().to_str().unwrap();
    check(&Lake::existing(frozen(&format!("{url}/{name}"))).build().unwrap());

    let gone = Lake::existing(frozen(&format!("{url}/gone.ducklake"))).build().unwrap();
    let error = Store::attach(&gone, &session(), Mode::Read).unwrap_err();
    assert!(error.is_missing_lake() && error.to_string().contains("/gone.ducklake"), "{error}");
}

#[test]
fn a_lake_in_a_bucket_is_read() {
    let server = S3Server::start(S3Options::default());
    server.bucket("frozen");
    let home = TempLake::new();
    let mut spec = ducklake_sql::S3Spec::new("storage");
    let key = server.key(KeyRights::Full);
    spec.bucket = Some("frozen".to_owned());
    spec.key_id = Some(key.id.as_str().into());
    spec.secret = Some(key.secret.as_str().into());
    spec.endpoint = Some(server.endpoint());
    spec.region = Some(server.region().to_owned());
    spec.url_style = Some("path".to_owned());
    spec.use_ssl = Some(false);
    let storage = spec.build().unwrap();
    let store = Store::attach(&Lake::builder(home.duckdb(), storage.clone()).build().unwrap(), &session(), Mode::Write)
        .unwrap();
    store.connection().execute("CREATE TABLE t AS SELECT range AS i FROM range(1000)").unwrap();
    store.close().unwrap();
    fs::copy(home.duckdb().file().unwrap().as_str(), server.object_path("frozen", "lake.ducklake")).unwrap();
    check(&Lake::builder(frozen("s3://frozen/lake.ducklake"), storage).build().unwrap());
}
