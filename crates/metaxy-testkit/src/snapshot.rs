//! What differs from run to run, so that a snapshot does not.

/// Regular expressions and what to write instead, in this order: for `insta::Settings::set_filters`.
///
/// - the path of a [`TempDir`](crate::TempDir): `[TEMP]`
/// - a UUID: `[UUID]`
/// - a port of this machine: `127.0.0.1:[PORT]`, `port 5432` and `"port": 5432` too
/// - a duration with its unit, as in `1.5 ms` or `80ms`, or one that became another, `2 ms → 1 ms`: `[TIME]`
pub const SNAPSHOT_FILTERS: &[(&str, &str)] = &[
    (r#"[^\s'"`(=:]*[/\\]metaxy-test-[A-Za-z0-9]+"#, "[TEMP]"),
    (r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b", "[UUID]"),
    (r"(127\.0\.0\.1|localhost|\[::1\]):\d{2,5}\b", "$1:[PORT]"),
    (r#"(?i)\b(port"?\s*[:=]?\s*'?)\d{4,5}\b"#, "$1[PORT]"),
    (r"\b\d+(\.\d+)?\s?(ns|µs|us|ms|s)\b( → \d+(\.\d+)?\s?(ns|µs|us|ms|s)\b)?", "[TIME]"),
];

#[cfg(test)]
mod tests {
    use super::SNAPSHOT_FILTERS;
    use crate::TempDir;

    #[test]
    fn filters_take_out_what_differs() {
        let folder = TempDir::new();
        let text = format!(
            "opened `{0}/meta.sqlite` and 'ducklake:sqlite:{0}/meta.sqlite' in 12.5 ms (80ms, 1.2s)\n\
             s3 at 127.0.0.1:40123, PORT '5433', \"port\": 5433, port=54321\n\
             ducklake-019a9b1c-8a7e-7c35-9d1e-0123456789ab.parquet\n\
             kept: 10000 rows, 3 snapshots, version 1.5.5, port 22",
            folder.path().display()
        );
        insta::with_settings!({ filters => SNAPSHOT_FILTERS.iter().copied() }, {
            insta::assert_snapshot!(text, @r#"
            opened `[TEMP]/meta.sqlite` and 'ducklake:sqlite:[TEMP]/meta.sqlite' in [TIME] ([TIME], [TIME])
            s3 at 127.0.0.1:[PORT], PORT '[PORT]', "port": [PORT], port=[PORT]
            ducklake-[UUID].parquet
            kept: 10000 rows, 3 snapshots, version 1.5.5, port 22
            "#);
        });
    }
}
