//! `metaxy doctor --repair`: what it tells of, and that it does nothing unasked.

use metaxy_testkit::{TempDir, deps};

use crate::run::{Ran, metaxy, run};

#[test]
fn files_that_are_gone_are_told_of_and_given_up_only_when_asked() {
    let folder = TempDir::new();
    let text = format!(
        "store = 'dev'\n[stores.dev]\ntype = 'duckdb'\n\
         [stores.dev.config.config]\nextension_directory = '{}'\n\
         [stores.dev.config.ducklake]\ncatalog = {{ type = 'sqlite', uri = 'sqlite:meta.sqlite' }}\n\
         storage = {{ type = 'local', path = 'data' }}\n",
        deps().extensions().display()
    );
    folder.write("metaxy.toml", text);
    let typed = |words: &[&str]| -> Ran {
        let mut command = metaxy(&folder, words);
        // A variable of yesterday confirms nothing.
        run(command.env("METAXY_DOCTOR_YES", "1"), "")
    };
    let sql = |text: &str| typed(&["sql", "--mode", "write", text]).done();
    sql("CREATE TABLE t AS SELECT range AS i FROM range(100)");
    let whole = folder.files();
    sql("INSERT INTO t SELECT range FROM range(20)");
    assert_eq!(typed(&["doctor", "--repair"]).done(), "");
    let lost = folder.files().into_iter().find(|file| file.ends_with(".parquet") && !whole.contains(file));
    std::fs::remove_file(folder.join(&lost.expect("a file of the insert"))).expect("it is there");

    let catalog = std::fs::read(folder.join("meta.sqlite")).expect("it is there");
    for format in ["text", "json"] {
        let told = typed(&["doctor", "--repair", "--format", format]);
        let rows = if format == "text" { "main.t: 20 rows are lost (since snapshot 2): " } else { "\"rows\": 20," };
        assert!(told.exit == 1 && told.stdout.contains(rows), "{}{}", told.stdout, told.stderr);
        assert!(told.stderr.contains("nothing was changed"), "{}", told.stderr);
    }
    assert_eq!(std::fs::read(folder.join("meta.sqlite")).expect("it is there"), catalog);
    let doctor = typed(&["doctor"]);
    assert!(doctor.exit == 1 && doctor.stdout.contains("metaxy doctor --repair"), "{}", doctor.stdout);

    let done = typed(&["doctor", "--repair", "--yes"]);
    assert!(done.stderr.contains("the tables can be read again"), "{}", done.stderr);
    assert!(done.done().contains("20 rows are lost"));
    assert_eq!(typed(&["sql", "--format", "csv", "SELECT count(i) AS n FROM t"]).done(), "n\n100\n");
    typed(&["doctor", "--deep"]).done();
}
