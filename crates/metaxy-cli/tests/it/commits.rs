//! What commands say when the connection to PostgreSQL is cut around their commit, and what is stored then.

use metaxy_testkit::{Cut, Postgres, Proxy};

use crate::run::{Ran, metaxy, run};
use crate::trips::project;

#[test]
fn a_command_whose_commit_is_not_answered_is_done_once() {
    let database = Postgres::shared().database();
    let proxy = Proxy::before(database.port());
    let folder = project(&database, &proxy);
    folder.write("other.csv", "id,n\n1,1\n2,2\n");
    let typed = |words: &[&str]| -> Ran { run(&mut metaxy(&folder, words), "") };
    typed(&["sql", "--mode", "write", "CREATE TABLE t (id VARCHAR, n BIGINT)"]).done();
    let begun = "BEGIN; INSERT INTO t SELECT range, 1 FROM range(30); COMMIT";
    let read_only = "the transaction of the script is rolled back, and nothing is stored";
    for (words, cut, exit, said) in [
        (&["push"][..], Cut::InAnswer(0), 0, "recorded the features"),
        (&["metadata", "write", "--feature", "a", "rows.jsonl"], Cut::AfterCommit, 0, "wrote 20 rows"),
        (&["metadata", "write", "--feature", "b", "rows.jsonl"], Cut::BeforeSnapshot, 0, "wrote 20 rows"),
        (&["metadata", "delete", "a", "--hard", "--filter", "id = '1'"], Cut::InAnswer(7), 0, "1 row"),
        (&["sql", "--mode", "write", "INSERT INTO t SELECT range, 0 FROM range(20)"], Cut::InAnswer(0), 0, "20 rows"),
        (&["sql", "--mode", "write", "UPDATE t SET n = n + 1"], Cut::AfterCommit, 0, "20 rows changed"),
        (
            &["sql", "--mode", "write", "--allow-files", "COPY t FROM 'other.csv'"],
            Cut::InAnswer(0),
            0,
            "2 rows changed",
        ),
        // A script with a transaction of its own is run once.
        (&["sql", "--mode", "write", begun], Cut::InAnswer(0), 0, "30 rows changed"),
        (&["sql", "--mode", "write", begun], Cut::InCommit(11), 1, read_only),
    ] {
        proxy.cut(cut);
        let ran = typed(words);
        assert_eq!(ran.exit, exit, "{words:?}, {cut:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(said), "{words:?}, {cut:?}: {}", ran.stderr);
        assert!(!proxy.is_to_cut(), "{words:?} made no snapshot");
    }
    let counts = "SELECT (SELECT count(DISTINCT id) || '/' || count(*) FROM a), (SELECT count(DISTINCT id) || '/' || count(*) FROM b), \
                  (SELECT count(id) || '/' || sum(n) FROM t), (SELECT count(*) FROM metaxy_system__feature_versions)";
    let counted = |expected: &str| {
        assert_eq!(typed(&["sql", "--format", "csv", counts]).done().lines().last(), Some(expected));
    };
    counted("19/19,20/20,52/53,2");

    proxy.cut_and_go_away(Cut::InAnswer(0));
    let delete = ["sql", "--mode", "write", "--retry-for", "300ms", "DELETE FROM t WHERE n = 2"];
    let ran = typed(&delete);
    assert_eq!(ran.exit, 1);
    for said in ["whether it is stored could not be found out", "run it again only if there is none"] {
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    }
    proxy.come_back();
    counted("19/19,20/20,51/51,2");
}
