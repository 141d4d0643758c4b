//! What `metaxy init` leads to: the commands that it prints are run.

use std::fs;

use metaxy_testkit::{TempDir, deps};

use crate::run::{metaxy, run};

/// The commands that stand below `next:`, each without the name of the program.
fn next_commands(stderr: &str) -> Vec<String> {
    let lines = stderr.lines().skip_while(|line| *line != "next:").skip(1);
    lines.map(|line| line.strip_prefix("  metaxy ").expect("a command").to_owned()).collect()
}

fn typed(folder: &TempDir, command: &str) -> String {
    // None of them has a blank in a word but the SQL, which is in quotes.
    let (words, sql) = command.split_once(" '").map_or((command, None), |(words, sql)| (words, Some(sql)));
    let mut words: Vec<&str> = words.split(' ').collect();
    words.extend(sql.map(|sql| sql.trim_end_matches('\'')));
    run(metaxy(folder, &words).env("METAXY_EXTENSION_DIRECTORY", deps().extensions()), "").done()
}

#[test]
fn the_commands_that_init_prints_run_as_they_are() {
    for catalog in ["sqlite", "duckdb"] {
        let folder = TempDir::new();
        let init = run(&mut metaxy(&folder, &["init", "--catalog", catalog]), "");
        let commands = next_commands(&init.stderr);
        assert_eq!(commands.len(), 3, "{}", init.stderr);
        for command in &commands {
            typed(&folder, command);
        }
        assert!(typed(&folder, "sql 'SHOW TABLES'").contains("sample"));
    }
}

#[test]
fn an_example_goes_from_rows_to_a_stale_one() {
    let folder = TempDir::new();
    let init = run(&mut metaxy(&folder, &["init", "--example"]), "");
    let commands = next_commands(&init.stderr);
    let [write, status, increment] = commands.as_slice() else { panic!("{}", init.stderr) };
    typed(&folder, write);
    assert!(typed(&folder, status).contains("video/transcript  0             3        0      0"));
    let parquet = [increment, " --format parquet --output todo.parquet"].concat();
    assert!(typed(&folder, increment).contains("keynote"));
    typed(&folder, &parquet);
    typed(&folder, "metadata write video/transcript todo.parquet");

    // Another sound makes the transcript stale, and leaves the faces as they are.
    let rows = fs::read_to_string(folder.join("videos.csv")).expect("rows").replace("7c222fb2", "00000000");
    fs::write(folder.join("videos.csv"), rows).expect("rows");
    typed(&folder, write);
    let now = typed(&folder, status);
    assert!(now.contains("needs update  video/transcript  3             0        1      0"), "{now}");
    typed(&folder, "push");
    let page = typed(&folder, "metadata status --all-features --format html");
    for part in ["Status of example", "2 of 3 features", "3 rows, 1 stale", "main.video__transcript", "snapshot 1, "] {
        assert!(page.contains(part), "{part}: {page}");
    }
    // It asks for nothing from elsewhere, and runs nothing.
    let elsewhere = page.replace("http://www.w3.org/2000/svg", "");
    assert!(!elsewhere.contains("://") && !elsewhere.contains("<script"), "{page}");
    assert!(typed(&folder, "graph diff").starts_with("video/raw b9bb54e4\n"));

    // What is there is not written over.
    let again = run(&mut metaxy(&folder, &["init", "--example", "--path", "other.toml"]), "");
    assert_eq!(again.exit, 1);
    assert!(again.stderr.contains("`features/video.toml` exists already"), "{}", again.stderr);
    assert!(!fs::exists(folder.join("other.toml")).expect("a folder"));
}
