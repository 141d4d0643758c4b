//! What a configuration from somebody else may do without trust, and what not.

use metaxy_config::VariableSource::{self, Environment, File, FileWithEnvironment};
use metaxy_config::{Config, LoadOptions, MemorySystem, Trust};

const LAKE: &str = "
config.ducklake.catalog = { type = 'sqlite', uri = 'lake.sqlite' }
config.ducklake.storage = { type = 'local', path = 'data' }
";
const DATA: &str = "config.ducklake.storage = { type = 'local', path = 'data' }";
const CATALOG: &str = "config.ducklake.catalog = { type = 'sqlite', uri = 'lake.sqlite' }";

type Variables<'a> = &'a [(VariableSource, &'a str, &'a str)];

fn load(store: &str, variables: Variables<'_>) -> Config {
    let mut system =
        MemorySystem::new().file("/project/metaxy.toml", ["[stores.dev]\ntype = 'duckdb'\n", store].concat());
    for (source, name, value) in variables {
        system = system.var_of(*source, *name, *value);
    }
    let loaded = Config::load(&system, &LoadOptions::default()).unwrap_or_else(|error| panic!("{store}: {error}"));
    assert!(!loaded.diagnostics.has_errors(), "{store}: {}", loaded.diagnostics);
    loaded.config
}

fn needs(config: &Config) -> String {
    let messages = config.needs_trust().iter().map(|need| need.message().replace(" needs trust", ""));
    messages.collect::<Vec<_>>().join("; ")
}

#[track_caller]
fn check(store: &str, variables: Variables<'_>, expected: &str) {
    let config = load(store, variables);
    assert_eq!(needs(&config), expected, "{store} {variables:?}");
    assert_eq!(config.trusted_store("dev").is_err(), !expected.is_empty(), "{store}");
    assert_eq!(config.trust_digest().is_some(), !expected.is_empty(), "{store}");
    assert!(config.trusted().trusted_store("dev").is_ok(), "{store}");
}

#[test]
fn what_is_not_known_to_be_harmless_needs_trust() {
    for (line, expected) in [
        ("config.config = { threads = 4, memory_limit = '4GB', TimeZone = 'UTC' }", ""),
        ("config.config = { preserve_insertion_order = false, ducklake_max_retry_count = 3 }", ""),
        ("config.config = { allow_unsigned_extensions = false, enable_profiling = 'false' }", ""),
        // DuckDB checks signatures there, too.
        ("config.config = { extension_directory = 'ext' }", ""),
        (
            "config.config = { profiling_output = 'x' }",
            "the setting `profiling_output`: it is not known to be harmless",
        ),
        ("config.config = { log_query_path = 'x' }", "the setting `log_query_path`: it is not known to be harmless"),
        ("config.config = { Temp_Directory = '/x' }", "the setting `Temp_Directory`: it is not known to be harmless"),
        (
            "config.config = { secret_directory = 'x' }",
            "the setting `secret_directory`: it is not known to be harmless",
        ),
        ("config.config = { http_proxy = 'x' }", "the setting `http_proxy`: it is not known to be harmless"),
        ("config.config = { s3_endpoint = 'x' }", "the setting `s3_endpoint`: it is not known to be harmless"),
        (
            "config.config = { custom_extension_repository = 'x' }",
            "the setting `custom_extension_repository`: it is not known to be harmless",
        ),
        (
            "config.config = { ALLOW_UNSIGNED_EXTENSIONS = 'true', extension_directory = 'ext' }",
            "`allow_unsigned_extensions`: code that DuckDB has not signed could be loaded; \
             the setting `extension_directory`: it is not known to be harmless",
        ),
        ("config.extensions = ['spatial', { name = 'hashfuncs', repository = 'community' }]", ""),
        // A folder of extensions may have it, signed by the community's key, which anybody can have used.
        ("config.extensions = ['shellfs']", "the extension `shellfs` of `core`: it is code, and not of DuckDB itself"),
        (
            "config.extensions = [{ name = 'spatial', repository = 'https://evil.example' }]",
            "the extension `spatial` of `https://evil.example`: it is code, and not of DuckDB itself",
        ),
        (
            "config.extensions = [{ name = 'icu', init_sql = ['SELECT 1'] }]",
            "`init_sql` of the extension `icu`: SQL can read and write every file that you can: `SELECT 1`",
        ),
        ("config.ducklake.attach_options = { meta_journal_mode = 'WAL', encrypted = true }", ""),
        (
            "config.ducklake.attach_options = { metadata_parameters = { of_tomorrow = 'x' } }",
            "the parameter `of_tomorrow`: it is not known to be harmless",
        ),
    ] {
        check(&[LAKE, line].concat(), &[], expected);
    }
}

#[test]
fn what_is_in_the_environment_goes_to_no_host_that_the_configuration_names() {
    const SENT: &str = "this host of the catalog: it gets what is in your environment";
    let pg = |fields: &str| {
        format!(
            "config.ducklake.catalog = {{ type = 'postgres', secret_name = 'p', database = 'd', {fields} }}\n{DATA}"
        )
    };
    let (user, own, chain) = ("user = 'u', password", "user = 'u', password = 'inline'", "secret_parameters");
    let password: Variables<'_> = &[(Environment, "PW", "pw"), (Environment, "HOST", "db.example")];
    for (store, variables, expected) in [
        (pg(&format!("host = 'db.example', {user} = '${{PW}}'")), password, format!("{SENT} (PW)")),
        (pg(&format!("host = 'db.example', {user} = 'x${{PW:-d}}'")), password, format!("{SENT} (PW)")),
        (pg(&format!("host = '${{PW}}.evil.example', {own}")), password, format!("{SENT} (PW)")),
        (pg(&format!("host = '${{NONE:-db.example}}', {user} = '${{PW}}'")), password, format!("{SENT} (PW)")),
        (pg(&format!("host = 'localhost,db.example', {user} = '${{PW}}'")), password, format!("{SENT} (PW)")),
        // The person names the host, or it is this machine, or there is nothing of theirs.
        (pg(&format!("host = '${{HOST}}', {user} = '${{PW}}'")), password, String::new()),
        (pg(&format!("host = '${{HOST:-evil.example}}', {user} = '${{PW}}'")), password, String::new()),
        (pg(&format!("host = 'localhost', {user} = '${{PW}}'")), password, String::new()),
        (pg(&format!("host = '/run/postgresql', {user} = '${{PW}}'")), password, String::new()),
        (pg(&format!("host = 'db.example', {own}")), password, String::new()),
        (pg(&format!("host = 'db.example', {user} = '${{PW}}'")), &[(File, "PW", "pw")], String::new()),
        (
            pg(&format!("host = 'db.example', {user} = 'x', port = '${{PORT}}'")),
            &[(Environment, "PORT", "1")],
            String::new(),
        ),
        // What a `.env` says is no word of the person's, whatever it takes from the environment.
        (
            pg(&format!("host = 'db.example', {user} = '${{PW}}'")),
            &[(FileWithEnvironment, "PW", "pw")],
            format!("{SENT} (PW)"),
        ),
        (
            pg(&format!("host = '${{HOST}}', {user} = '${{PW}}'")),
            &[(File, "HOST", "evil.example"), (Environment, "PW", "pw")],
            format!("{SENT} (PW)"),
        ),
        (
            pg(&format!("host = 'localhost', {user} = '${{PW}}'")),
            &[(File, "METAXY_STORES__DEV__CONFIG__DUCKLAKE__CATALOG__HOST", "evil.example"), (Environment, "PW", "pw")],
            format!("{SENT} (PW)"),
        ),
        (
            pg(&format!("host = 'localhost', {user} = '${{PW}}'")),
            &[
                (Environment, "METAXY_STORES__DEV__CONFIG__DUCKLAKE__CATALOG__HOST", "db.example"),
                (Environment, "PW", "pw"),
            ],
            String::new(),
        ),
        (
            pg(&format!("host = 'db.example', {own}")),
            &[(Environment, "METAXY_STORES__DEV__CONFIG__DUCKLAKE__CATALOG__PASSWORD", "pw")],
            format!("{SENT} (METAXY_STORES__DEV__CONFIG__DUCKLAKE__CATALOG__PASSWORD)"),
        ),
        // libpq takes a password that nobody gives from the environment.
        (
            format!(
                "config.ducklake.catalog = {{ type = 'postgres', secret_name = 'p', \
                 secret_parameters = {{ host = 'db.example', dbname = 'd' }} }}\n{DATA}"
            ),
            &[(Environment, "PGPASSWORD", "pw")],
            format!("{SENT} (PGPASSWORD)"),
        ),
        (
            pg(&format!(
                "host = 'localhost', {own}, {chain} = {{ hostaddr = '10.0.0.1', application_name = '${{PW}}' }}"
            )),
            password,
            format!("{SENT} (PW)"),
        ),
        (
            pg(&format!("host = 'localhost', {own}, {chain} = {{ passfile = '/home/user/.pgpass' }}")),
            &[],
            "the parameter `passfile`: it is not known to be harmless".to_owned(),
        ),
        (
            pg(&format!("host = 'localhost', {own}, {chain} = {{ passfile = 'pgpass', sslrootcert = 'system' }}")),
            &[],
            String::new(),
        ),
    ] {
        check(&store, variables, &expected);
    }
}

#[test]
fn it_goes_to_no_storage_that_the_configuration_names() {
    const STORED: &str = "this host of the storage: it gets what is in your environment";
    let s3 =
        |fields: &str| format!("config.ducklake.storage = {{ type = 's3', secret_name = 's', {fields} }}\n{CATALOG}");
    let password: Variables<'_> = &[(Environment, "PW", "pw"), (Environment, "HOST", "db.example")];
    for (store, variables, expected) in [
        // A key signs what goes to the provider itself, which has it already.
        (s3("bucket = 'b', key_id = '${PW}', secret = '${PW}'"), password, String::new()),
        (s3("bucket = 'b', secret_parameters = { provider = 'credential_chain' }"), &[], String::new()),
        (
            s3("bucket = 'b', endpoint = 's3.example', key_id = '${PW}', secret = '${PW}'"),
            password,
            format!("{STORED} (PW)"),
        ),
        (
            s3("bucket = 'b', endpoint = 'http://127.0.0.1:9000', key_id = '${PW}', secret = '${PW}'"),
            password,
            String::new(),
        ),
        (
            s3("bucket = 'b', endpoint = 's3.example', secret_parameters = { provider = 'credential_chain' }"),
            &[],
            format!("{STORED} (the credentials of your cloud accounts)"),
        ),
        // Who has the bucket sees what is asked for.
        (s3("bucket = 'b', prefix = '${PW}', key_id = 'k', secret = 's'"), password, format!("{STORED} (PW)")),
        (
            s3("bucket = 'b', prefix = '${USER}', key_id = 'k', secret = 's'"),
            &[(Environment, "USER", "me")],
            String::new(),
        ),
        (s3("bucket = '${HOST}', prefix = '${PW}', key_id = 'k', secret = 's'"), password, String::new()),
        (s3("data_path = 's3://${HOST}/${PW}/', key_id = 'k', secret = 's'"), password, String::new()),
        (s3("data_path = 's3://b/${PW}/', key_id = 'k', secret = 's'"), password, format!("{STORED} (PW)")),
        (
            format!("{CATALOG}\nconfig.ducklake.storage = {{ type = 'local', path = '${{PW}}/data' }}"),
            password,
            String::new(),
        ),
    ] {
        check(&store, variables, &expected);
    }
}

#[test]
fn what_the_person_sets_needs_no_trust() {
    const SETTINGS: &str = "METAXY_STORES__DEV__CONFIG__CONFIG";
    const PROXY: &str = r#"{"http_proxy": "proxy"}"#;
    check(LAKE, &[(Environment, SETTINGS, PROXY)], "");
    check(LAKE, &[(File, SETTINGS, PROXY)], "the setting `http_proxy`: it is not known to be harmless");
    let unsigned = "METAXY_STORES__DEV__CONFIG__CONFIG__ALLOW_UNSIGNED_EXTENSIONS";
    check(LAKE, &[(Environment, unsigned, "true")], "");
    // The person's word about one thing is none about another.
    let folder = [LAKE, "config.config = { extension_directory = 'ext' }"].concat();
    let needed = "the setting `extension_directory`: it is not known to be harmless";
    check(&folder, &[(Environment, unsigned, "true")], needed);
    check(LAKE, &[(Environment, unsigned, "true"), (Environment, "METAXY_EXTENSION_DIRECTORY", "/ext")], "");
    check(LAKE, &[(Environment, unsigned, "true"), (File, "METAXY_EXTENSION_DIRECTORY", "/ext")], needed);
}

#[test]
fn trust_is_in_what_needs_it_and_nothing_else() {
    let sql = |statement: &str, threads: u8| {
        let more = format!(
            "config.config = {{ threads = {threads} }}\nconfig.extensions = [{{ name = 'icu', init_sql = ['{statement}'] }}]"
        );
        load(&[LAKE, &more].concat(), &[])
    };
    let first = sql("SELECT 1", 1);
    assert_eq!(first.trust_digest(), sql("SELECT 1", 2).trust_digest());
    assert_ne!(first.trust_digest(), sql("SELECT 2", 1).trust_digest());

    let host = |host: &str, password: &str| {
        let catalog = "config.ducklake.catalog = { type = 'postgres', secret_name = 'p', host = '${HOST}', database = 'd', \
                       user = 'u', password = '${PW}' }\n";
        load(&[catalog, DATA].concat(), &[(File, "HOST", host), (Environment, "PW", password)])
    };
    let first = host("a.example", "one");
    // A file of what is trusted says nothing of the password.
    assert_eq!(first.trust_digest(), host("a.example", "two").trust_digest());
    assert_ne!(first.trust_digest(), host("b.example", "one").trust_digest());
}

#[test]
fn a_store_is_not_refused_for_another_one() {
    let system = MemorySystem::new().file(
        "/project/metaxy.toml",
        [
            "[stores.dev]\ntype = 'duckdb'\n",
            LAKE,
            "[stores.other]\ntype = 'duckdb'\nconfig.database = 'x.duckdb'\nconfig.config = { log_query_path = 'x' }",
        ]
        .concat(),
    );
    let config = Config::load(&system, &LoadOptions::default()).expect("it loads").config;
    assert!(config.trusted_store("dev").is_ok());
    let error = config.trusted_store("other").expect_err("it needs trust");
    assert!(error.is_untrusted() && error.diagnostics().is_some_and(|needs| needs.iter().count() == 1), "{error}");
    let trusted = Config::load(&system, &LoadOptions::default().trust(Trust::Everything)).expect("it loads").config;
    assert!(trusted.trusted_store("other").is_ok() && !trusted.is_untrusted());
}
