//! Every combination that is well: nothing to complain about, nothing changed, and in what time.

use std::time::Instant;

use metaxy_store_duckdb::Doctor;
use metaxy_testkit::{KeyRights, Postgres, S3Options, S3Server};

use crate::doctor::target::{Target, assert_seen};
use crate::lake::{BUCKET, DUCKDB, LOCAL, SQLITE, postgres, s3};

#[test]
fn every_combination() {
    let server = S3Server::start(S3Options::default());
    server.bucket(BUCKET);
    let key = server.key(KeyRights::Full);
    let object = |kind: &str, scheme: &str| {
        format!(
            "{{ type = \"{kind}\", secret_name = \"storage\", data_path = \"{scheme}://{BUCKET}/PREFIX\", \
             key_id = \"{}\", secret = {:?}, secret_parameters = {{ endpoint = \"{}\", region = \"{}\", \
             url_style = \"path\", use_ssl = false }} }}",
            key.id,
            key.secret,
            server.endpoint(),
            server.region()
        )
    };
    let storages = [
        ("local", LOCAL.to_owned()),
        ("s3", s3(&server, &key).replace("prefix = \"prod\"", "prefix = \"PREFIX\"")),
        ("r2", object("r2", "r2")),
        ("gcs", object("gcs", "gs")),
    ];
    for catalog in ["duckdb", "sqlite", "postgres"] {
        let database = Postgres::shared().database();
        for (storage, table) in &storages {
            let catalog_table = match catalog {
                "duckdb" => DUCKDB.to_owned(),
                "sqlite" => SQLITE.to_owned(),
                _ => postgres(&database, database.owner(), ""),
            };
            let catalog_table = match (catalog, *storage) {
                ("postgres", storage) => catalog_table.replace("\"pg\"", &format!("\"pg_{storage}\"")),
                _ => catalog_table,
            };
            let table = table.replace("PREFIX", &[catalog, "-", storage].concat());
            let target = Target::new(&catalog_table, &table);
            if catalog == "postgres" {
                let text = std::fs::read_to_string(target.folder.path().join("metaxy.toml")).unwrap();
                let schema = format!("attach_options = {{ metadata_schema = \"{storage}\" }}\n");
                target.folder.write("metaxy.toml", [text, schema].concat());
            }
            target.make_lake();
            let objects = server.objects(BUCKET);
            let start = Instant::now();
            let report = target.examine(&Doctor::default().write(true));
            println!("{catalog} × {storage}: {:.0} ms", start.elapsed().as_secs_f64() * 1000.0);
            let is_well = |finding: &&metaxy_store_duckdb::Finding| {
                use metaxy_store_duckdb::Outcome::{Failed, Warning};
                matches!(finding.outcome, Failed | Warning)
            };
            assert!(!report.findings.iter().any(|finding| is_well(&finding)), "{catalog} × {storage}:\n{report}");
            assert_eq!(server.objects(BUCKET), objects, "{catalog} × {storage}");
            if (catalog, *storage) == ("postgres", "s3") {
                assert_seen!("healthy", report.without_raw_texts().to_string());
            }
        }
    }
}

#[test]
fn no_lake_yet() {
    let target = Target::new(SQLITE, LOCAL);
    assert_seen!("no-lake-yet", target.warns_of(metaxy_store_duckdb::Cause::NoLakeYet));
}
