//! What is refused in the description of a lake, all of it at once.

use ducklake_sql::{
    ATTACH_OPTIONS, Alias, AttachOptions, AzureSpec, Catalog, CatalogFile, Code, GcsSpec, Lake, LocalFolder,
    PostgresSpec, Problems, QuackSpec, R2Spec, S3Spec, Secret, Setting, Storage, Value,
};

/// The fields and codes of a result's problems.
fn problems<T: std::fmt::Debug>(result: Result<T, Problems>) -> Vec<(String, Code)> {
    result.unwrap_err().iter().map(|problem| (problem.field().to_owned(), problem.code())).collect()
}

fn check<T: std::fmt::Debug>(result: Result<T, Problems>, expected: &[(&str, Code)]) {
    let expected: Vec<_> = expected.iter().map(|(field, code)| ((*field).to_owned(), *code)).collect();
    assert_eq!(problems(result), expected);
}

#[test]
fn postgres() {
    let spec = |change: fn(&mut PostgresSpec)| {
        let mut spec = PostgresSpec::new("pg");
        change(&mut spec);
        spec.build()
    };
    assert!(spec(|_| {}).is_ok(), "an existing secret");
    check(PostgresSpec::new("").build(), &[("secret_name", Code::EmptyValue)]);
    check(
        spec(|spec| spec.host = Some("h".into())),
        &[
            ("database", Code::HalfGivenCredentials),
            ("user", Code::HalfGivenCredentials),
            ("password", Code::HalfGivenCredentials),
        ],
    );
    check(spec(|spec| spec.port = Some(1)), &[("host", Code::HalfGivenCredentials)]);
    let full = |spec: &mut PostgresSpec| {
        (spec.host, spec.database, spec.user) = (Some("h".into()), Some("d".into()), Some("u".into()));
        spec.password = Some(Secret::from("hunter2"));
    };
    let with = |name: &'static str, value: Value| {
        let mut spec = PostgresSpec::new("pg");
        full(&mut spec);
        spec.parameters.insert(name, value);
        spec.build()
    };
    assert!(with("sslmode", "require".into()).is_ok());
    check(with("HOST", "other".into()), &[("secret_parameters.HOST", Code::Conflict)]);
    check(with("dbname", "other".into()), &[("secret_parameters.dbname", Code::Conflict)]);
    check(with("type", "s3".into()), &[("secret_parameters.type", Code::ReservedOption)]);
    check(with("a; b", "x".into()), &[("secret_parameters.a; b", Code::InvalidName)]);
    check(with("sslmode", "".into()), &[("secret_parameters.sslmode", Code::EmptyValue)]);
    check(with("sslmode", "a\0".into()), &[("secret_parameters.sslmode", Code::NulByte)]);
    check(
        spec(|spec| {
            (spec.host, spec.database, spec.user) = (Some(String::new()), Some("d".into()), Some("u\0".into()));
            spec.password = Some(Secret::from(""));
        }),
        &[("host", Code::EmptyValue), ("user", Code::NulByte), ("password", Code::EmptyValue)],
    );
    let mut passfile = PostgresSpec::new("pg");
    full(&mut passfile);
    passfile.password = None;
    passfile.parameters.insert("passfile", "/run/pgpass".into());
    assert!(passfile.build().is_ok(), "a login without a password here");
}

#[test]
fn s3() {
    let spec = |change: fn(&mut S3Spec)| {
        let mut spec = S3Spec::new("s3");
        spec.bucket = Some("b".into());
        change(&mut spec);
        spec.build()
    };
    assert!(spec(|_| {}).is_ok());
    check(spec(|spec| spec.bucket = None), &[("", Code::MissingDataPath)]);
    check(spec(|spec| spec.bucket = Some(String::new())), &[("bucket", Code::EmptyValue)]);
    check(spec(|spec| spec.bucket = Some("b?c".into())), &[("bucket", Code::InvalidObjectPath)]);
    check(spec(|spec| spec.prefix = Some("a//b".into())), &[("bucket", Code::InvalidObjectPath)]);
    check(spec(|spec| spec.prefix = Some("a/*/b".into())), &[("bucket", Code::InvalidObjectPath)]);
    check(spec(|spec| spec.data_path = Some("s3://other/".into())), &[("data_path", Code::Conflict)]);
    check(
        spec(|spec| spec.data_path = Some("gs://b/".into())),
        &[("data_path", Code::Conflict), ("data_path", Code::InvalidObjectPath)],
    );
    check(spec(|spec| spec.key_id = Some(Secret::from("k"))), &[("secret", Code::HalfGivenCredentials)]);
    check(spec(|spec| spec.endpoint = Some("ftp://h".into())), &[("endpoint", Code::InvalidChoice)]);
    check(spec(|spec| spec.url_style = Some("virtual".into())), &[("url_style", Code::InvalidChoice)]);
    check(
        spec(|spec| {
            spec.endpoint = Some("http://h".into());
            spec.use_ssl = Some(true);
        }),
        &[("use_ssl", Code::Conflict)],
    );
    check(
        spec(|spec| {
            spec.region = Some("r".into());
            spec.scope = Some("s3://b/inner".into());
        }),
        &[("scope", Code::ScopeMismatch)],
    );
    check(
        spec(|spec| {
            spec.prefix = Some("lake".into());
            spec.parameters.insert("scope", "s3://b/lak".into());
        }),
        &[("secret_parameters.scope", Code::ScopeMismatch)],
    );
    check(
        spec(|spec| spec.parameters.insert("refresh", "1h".into())),
        &[("secret_parameters.refresh", Code::InvalidChoice)],
    );
    for (change, path) in [
        ((|spec| spec.prefix = Some("/a/b/".into())) as fn(&mut S3Spec), "s3://b/a/b/"),
        (|spec| spec.data_path = Some("s3://b".into()), "s3://b/"),
        (
            |spec| {
                spec.bucket = None;
                spec.scope = Some("s3://c/d".into());
            },
            "s3://c/d/",
        ),
    ] {
        assert_eq!(spec(change).unwrap().path().as_str(), path);
    }
}

#[test]
fn r2_and_gcs() {
    let r2 = |change: fn(&mut R2Spec)| {
        let mut spec = R2Spec::new("r2", "r2://b/p");
        change(&mut spec);
        spec.build()
    };
    assert!(r2(|_| {}).is_ok());
    check(r2(|spec| spec.account_id = Some("evil.example/".into())), &[("account_id", Code::InvalidAccountId)]);
    check(
        r2(|spec| spec.parameters.insert("provider", "credential_chain".into())),
        &[("account_id", Code::HalfGivenCredentials)],
    );
    check(r2(|spec| spec.data_path = "s3://b/p".into()), &[("data_path", Code::InvalidObjectPath)]);
    check(GcsSpec::new("g", "").build(), &[("data_path", Code::EmptyValue)]);
    check(GcsSpec::new("g", "gs:///p").build(), &[("data_path", Code::InvalidObjectPath)]);
}

#[test]
fn azure_and_quack() {
    let azure = |change: fn(&mut AzureSpec)| {
        let mut spec = AzureSpec::new("azure", "az://container/lake");
        change(&mut spec);
        spec.build()
    };
    assert!(azure(|_| {}).is_ok());
    check(azure(|spec| spec.data_path = "s3://container/lake".into()), &[("data_path", Code::InvalidObjectPath)]);
    check(
        azure(|spec| {
            spec.account_name = Some("account".into());
            spec.connection_string = Some("".into());
        }),
        &[("connection_string", Code::Conflict), ("connection_string", Code::EmptyValue)],
    );
    for (host, code) in [("", Code::EmptyValue), ("host:9494", Code::InvalidName), ("http://host", Code::InvalidName)] {
        check(QuackSpec::new("quack", host).build(), &[("host", code)]);
    }
    let Catalog::Quack(quack) = QuackSpec::new("quack", "host").build().unwrap() else { unreachable!() };
    assert_eq!(quack.location(), "quack:host:9494");
}

#[test]
fn attach_options() {
    let options = |pairs: &[(&str, Value)]| AttachOptions::from_pairs(pairs.to_vec());
    check(
        options(&[("data_inlining_row_limits", 1.into())]),
        &[("data_inlining_row_limits", Code::UnknownAttachOption)],
    );
    check(
        options(&[("api_version", 1.into()), ("max_retries", 1.into())]),
        &[("api_version", Code::UnknownAttachOption), ("max_retries", Code::UnknownAttachOption)],
    );
    check(options(&[("encrypted", true.into()), ("ENCRYPTED", true.into())]), &[("ENCRYPTED", Code::Conflict)]);
    check(
        options(&[("snapshot_version", 1.into()), ("snapshot_time", "2026-01-01".into())]),
        &[("snapshot_time", Code::Conflict)],
    );
    check(
        options(&[("busy_timeout", "soon".into()), ("encrypted", "maybe".into())]),
        &[("busy_timeout", Code::WrongType), ("encrypted", Code::WrongType)],
    );
    check(options(&[("busy_timeout", (-1).into())]), &[("busy_timeout", Code::WrongType)]);
    for reserved in ["data_path", "META_TYPE", "meta_secret", "meta_password"] {
        check(options(&[(reserved, "x".into())]), &[(reserved, Code::ReservedOption)]);
    }
    let hint = options(&[("busytimeout", 1.into())]).unwrap_err().iter().next().unwrap().hint().unwrap().to_owned();
    assert_eq!(hint, "did you mean `busy_timeout`?");
}

/// Each option of the table is one that the reader knows: none is reported as unknown.
#[test]
fn every_listed_attach_option_is_known() {
    for option in ATTACH_OPTIONS {
        let known = match AttachOptions::from_pairs([(*option, Value::Boolean(true))]) {
            Ok(_) => true,
            Err(problems) => problems.iter().all(|problem| problem.code() != Code::UnknownAttachOption),
        };
        assert!(known, "{option}");
    }
}

#[test]
fn a_lake_as_a_whole() {
    let local = || Storage::Local(LocalFolder::new("/lake/data").unwrap());
    let postgres = |name: &str| {
        let mut spec = PostgresSpec::new(name);
        spec.parameters.insert("service", "lake".into());
        spec.build().unwrap()
    };
    let s3 = |name: &str| {
        let mut spec = S3Spec::new(name);
        (spec.bucket, spec.region) = (Some("b".into()), Some("r".into()));
        spec.build().unwrap()
    };
    check(Lake::builder(postgres("Same"), s3("same")).build(), &[("secret_name", Code::SecretNameClash)]);
    check(Lake::builder(postgres("metaxy___ducklake"), local()).build(), &[("secret_name", Code::SecretNameClash)]);
    assert!(Lake::builder(postgres("one"), s3("two")).build().is_ok());

    let in_schema = |of_catalog: &str, of_options: &str| {
        let mut spec = PostgresSpec::new("pg");
        spec.metadata_schema = Some(of_catalog.into());
        let options = AttachOptions::from_pairs([("metadata_schema", Value::from(of_options))]).unwrap();
        Lake::builder(spec.build().unwrap(), local()).options(options).build()
    };
    check(in_schema("one", "two"), &[("metadata_schema", Code::Conflict)]);
    assert_eq!(in_schema("one", "one").unwrap().metadata_schema().unwrap().as_str(), "one");

    let mut motherduck = Lake::mother_duck("");
    motherduck.region = Some(String::new());
    check(motherduck.build(), &[("database", Code::EmptyValue), ("region", Code::EmptyValue)]);
}

#[test]
fn names_and_paths() {
    for alias in ["", "MAIN", "temp", "System", "a\0"] {
        assert!(Alias::new(alias).is_err(), "{alias:?}");
    }
    for path in ["", "a/b", "/a/../b", "s3://b/x", "/a\0"] {
        assert!(LocalFolder::new(path).is_err(), "{path:?}");
        assert!(CatalogFile::new(path).is_err(), "{path:?}");
    }
    assert!(CatalogFile::new("/a/").is_err());
    assert!(Setting::new("access_mode", "read_only".into()).is_err());
    assert!(Setting::new("threads; DROP", 4.into()).is_err());
}

#[test]
fn no_problem_shows_a_secret() {
    let marker = "hunter2-in-a-problem";
    let mut s3 = S3Spec::new("s3");
    s3.key_id = Some(Secret::from(marker));
    s3.parameters.insert("session_token", marker.into());
    s3.parameters.insert("type", marker.into());
    s3.parameters.insert("scope", Value::List(vec![Secret::from(marker).into()]));
    let mut postgres = PostgresSpec::new("pg");
    postgres.password = Some([marker, "\0"].concat().as_str().into());
    postgres.parameters.insert("password", marker.into());
    for shown in [format!("{s3:?} {postgres:?}"), format!("{:?} {:?}", s3.build(), postgres.build())] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let catalog = Catalog::Sqlite(CatalogFile::new("/m").unwrap());
    assert!(Lake::builder(catalog, LocalFolder::new("/d").unwrap()).build().is_ok());
}

#[test]
fn a_login_in_a_location_is_masked() {
    for path in ["s3://id:hunter2@bucket/lake", "id:hunter2/x@bucket", "r2://hunter2@b"] {
        let mut spec = S3Spec::new("s3");
        spec.data_path = Some(path.into());
        assert!(!spec.build().unwrap_err().to_string().contains("hunter2"), "{path}");
    }
    let mut spec = S3Spec::new("s3");
    spec.bucket = Some("b".into());
    spec.endpoint = Some("https://id:hunter2@host:9000".into());
    check(spec.build(), &[("endpoint", Code::ReservedOption)]);
}
