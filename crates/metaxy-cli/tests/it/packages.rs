//! Packages of the program, as `cargo xtask dist` makes them: installed where nothing else is, without a network and
//! without a variable that leads anywhere, and used on real servers.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use metaxy_testkit::TempDir;

use crate::servers::Servers;

const FEATURES: &str = "
[[feature]]
key = 'video/raw'
id_columns = ['id']
fields = ['frames']

[[feature]]
key = 'video/faces'
id_columns = ['id']
deps = ['video/raw']
";

const ROWS: &str = r#"{"id": "1", "metaxy_provenance_by_field": {"frames": "1"}}
{"id": "2", "metaxy_provenance_by_field": {"frames": "1"}}"#;

#[test]
fn an_archive_and_a_wheel_run_where_nothing_else_is() {
    let folder = TempDir::new();
    let packages = folder.path().join("packages");
    pack(&packages);
    let archive = unpacked(&only_file(&packages, ".tar.gz"), &folder.path().join("an archive's place"));
    let wheel = installed(&only_file(&packages, ".whl"), &folder.path().join("venv"));
    for program in [&archive, &wheel] {
        // The folder of the extensions is that of the package, wherever it is.
        let home = TempDir::new();
        done(&mut program.run(&home, &["init"], &[]));
        let listed = done(&mut program.run(&home, &["extensions", "list"], &[]));
        assert!(
            listed.lines().count() == 3 && listed.contains(program.root.to_str().expect("a path in UTF-8")),
            "{listed}"
        );
        assert!(!listed.contains("missing"), "{listed}");
        find_work(program, &home, &[]);

        let home = TempDir::new();
        let servers = Servers::start();
        // The file has these in comments, since they are for servers other than Amazon's.
        let endpoint = servers.variables.iter().find(|(name, _)| *name == "DUCKLAKE_S3_ENDPOINT");
        let others = [
            ("METAXY_STORES__DEV__CONFIG__DUCKLAKE__STORAGE__ENDPOINT", endpoint.expect("it is there").1.clone()),
            ("METAXY_STORES__DEV__CONFIG__DUCKLAKE__STORAGE__URL_STYLE", "path".to_owned()),
        ];
        done(&mut program.run(&home, &["init", "--catalog", "postgres", "--storage", "s3"], &[]));
        find_work(program, &home, &[&servers.variables, &others[..]].concat());
        assert!(!servers.database.tables().is_empty());
    }
}

/// Records features, writes rows of one, and finds what is to be done for the other.
fn find_work(program: &Program, home: &TempDir, variables: &[(&str, String)]) {
    home.write("features.toml", FEATURES);
    home.write("rows.jsonl", ROWS);
    let features = [
        ("METAXY_PROJECT", "demo".to_owned()),
        ("METAXY_EXT__RUST__FEATURES", r#"["features.toml"]"#.to_owned()),
        ("METAXY_AUTO_CREATE_TABLES", "true".to_owned()),
    ];
    let variables = [&features[..], variables].concat();
    let run = |line: &str| done(&mut program.run(home, &line.split(' ').collect::<Vec<_>>(), &variables));
    run("push");
    run("metadata write --feature video/raw rows.jsonl");
    let status = run("metadata status video/faces");
    assert!(status.contains("missing  video/faces  0             2"), "{status}");
    run("metadata increment --feature video/faces --only new,stale -f parquet -o todo.parquet");
    run("metadata write --feature video/faces todo.parquet");
    run("metadata status video/faces --assert-in-sync");
}

/// An installed program, and the folder of its package.
struct Program {
    path: PathBuf,
    root: PathBuf,
}

impl Program {
    /// The program with these variables and no other.
    fn run(&self, home: &TempDir, arguments: &[&str], variables: &[(&str, String)]) -> Command {
        let mut command = Command::new(&self.path);
        command.args(arguments).current_dir(home.path()).env_clear();
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// Makes both packages of the program under test.
fn pack(output: &Path) {
    // `cargo xtask test` says where it is itself; Cargo would wait for what is built meanwhile.
    let given = env::var_os("METAXY_XTASK");
    let mut xtask = Command::new(given.clone().unwrap_or_else(|| env!("CARGO").into()));
    if given.is_none() {
        xtask.args(["run", "--quiet", "--package", "xtask", "--"]);
    }
    xtask.args(["dist", "--level", "1", "--program", env!("CARGO_BIN_EXE_metaxy"), "--output"]).arg(output);
    // It says which package the test belongs to.
    done(xtask.env_remove("CARGO_MANIFEST_DIR"));
}

fn unpacked(archive: &Path, folder: &Path) -> Program {
    std::fs::create_dir(folder).expect("a new folder");
    done(Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(folder));
    let root = only_file(folder, "");
    Program { path: root.join("bin/metaxy"), root }
}

/// Installs a wheel into a new environment, from nowhere but itself.
fn installed(wheel: &Path, environment: &Path) -> Program {
    done(Command::new("python3").args(["-m", "venv"]).arg(environment));
    let mut pip = Command::new(environment.join("bin/python"));
    pip.args(["-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-cache-dir", "--no-index"]);
    done(pip.arg(wheel));
    done(Command::new(environment.join("bin/python")).args(["-m", "pip", "check"]));
    Program { path: environment.join("bin/metaxy-rs"), root: environment.to_owned() }
}

/// What is in a folder and ends so, and is the only one.
fn only_file(folder: &Path, end: &str) -> PathBuf {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut found = entries.filter(|path| path.to_str().is_some_and(|path| path.ends_with(end)));
    let first = found.next().unwrap_or_else(|| panic!("`{}` has nothing that ends in `{end}`", folder.display()));
    assert!(found.next().is_none(), "`{}` has several that end in `{end}`", folder.display());
    first
}

/// Runs a program that must do well; its stdout.
#[track_caller]
fn done(command: &mut Command) -> String {
    let output = command.output().expect("the program should start");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    // Its variables may hold a secret.
    let arguments: Vec<_> = command.get_args().collect();
    let program = Path::new(command.get_program()).display();
    assert!(output.status.success(), "`{program}` {arguments:?}\n{stdout}{stderr}");
    stdout.into_owned()
}
