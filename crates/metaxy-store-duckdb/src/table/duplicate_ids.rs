//! The ids that a large table may have several rows of.
//!
//! To tell them takes a group, and which row is the latest a sort, of all rows; but most ids have one row only. So the
//! hashes of all ids go through a Bloom filter first. Of those that it has seen before, or takes for such, the rows are
//! grouped or sorted; no others are.

use std::iter;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{AsArray as _, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, UInt64Type};
use ducklake_sql::{Ident, Sql, list, sql};
use fastbloom::BloomFilter;

use super::TableName;
use crate::engine::{Connection, Error};

/// How many rows are looked at. Fewer are sorted in less time; of more, the filter would take too many for seen.
const LOOKED_AT: Range<u64> = 500_000..400_000_000;

/// Bits of the filter for each row, two of which it sets: of a thousand ids one is then taken for another.
const BITS_PER_ROW: u64 = 32;

/// The most bits of the filter, which are 128 MB.
const MOST_BITS: u64 = 1 << 30;

/// Of so many rows one may be of a seen id. Beyond that, to take all is faster, and the hashes would take memory.
const ROWS_PER_DUPLICATE: u64 = 16;

/// The ids that may have several rows, by their hashes in a temporary table that goes away with the connection.
///
/// In its place, `None` says that any id may.
#[derive(Debug)]
pub(crate) struct DuplicateIds(TableName);

impl DuplicateIds {
    /// Those among about so many rows, which stand behind FROM.
    pub(crate) fn find(connection: &Connection, rows: u64, ids: &[Ident], from: &Sql) -> Result<Option<Self>, Error> {
        if LOOKED_AT.contains(&rows) { Self::search(connection, rows, ids, from) } else { Ok(None) }
    }

    /// What holds for the rows of these ids.
    pub(crate) fn condition(&self, ids: &[Ident]) -> Sql {
        sql!("{hash} IN (FROM {hashes})", hash = hash(ids), hashes = self.0)
    }

    fn search(connection: &Connection, rows: u64, ids: &[Ident], from: &Sql) -> Result<Option<Self>, Error> {
        let Ok(bits) = usize::try_from(rows.saturating_mul(BITS_PER_ROW).min(MOST_BITS)) else { return Ok(None) };
        let mut filter = BloomFilter::with_num_bits(bits).hashes(2);
        let (mut looked_at, mut seen): (u64, Vec<u64>) = (0, Vec::new());
        let batches = connection.query(sql!("SELECT {hash} FROM {from}", hash = hash(ids), from))?;
        for batch in batches {
            let batch = batch?;
            let hashes = batch.column(0).as_primitive::<UInt64Type>().values();
            looked_at += hashes.len() as u64;
            seen.extend(hashes.iter().filter(|hash| filter.insert_hash(**hash)));
            if seen.len() as u64 > rows / ROWS_PER_DUPLICATE {
                return Ok(None);
            }
        }
        // There may be fewer than expected: a table counts deleted rows, and those of other versions.
        if seen.len() as u64 > looked_at / ROWS_PER_DUPLICATE {
            return Ok(None);
        }
        let table = TableName::temporary()?;
        connection.execute(sql!("CREATE TEMP TABLE {table} (hash UBIGINT)", table))?;
        let schema = Arc::new(Schema::new(vec![Field::new("hash", DataType::UInt64, false)]));
        let hashes = RecordBatch::try_new(schema, vec![Arc::new(UInt64Array::from(seen))]);
        connection.append(table.name(), iter::once(hashes))?;
        Ok(Some(Self(table)))
    }
}

/// The hash of a row's ids: that by which DuckDB groups, so that equal ids have one.
fn hash(ids: &[Ident]) -> Sql {
    sql!("hash({ids})", ids = list(ids))
}

#[cfg(test)]
mod tests {
    use arrow::compute::concat_batches;
    use ducklake_sql::{Catalog, CatalogFile, Lake, LocalFolder, Mode, Session, Setting, Value};
    use metaxy_feature::{FeatureDefinition, FeatureGraph};
    use metaxy_testkit::{TempDir, deps};

    use super::*;
    use crate::lake::Store;
    use crate::query::Latest;
    use crate::table::{At, Listing, Table, id_columns};
    use crate::{FeatureOptions, WriteOptions};

    const GRAPH: &str = "[[feature]]\nkey = 'a'\nid_columns = ['video', 'frame']\nfields = ['x']";

    /// One row, as all others are made of.
    const ONE: &str = "SELECT 'v' AS video, 1.5 :: DOUBLE AS frame, {'x': '1'} AS metaxy_provenance_by_field";

    /// Asks what is found in a table of so many rows and one, of which every so many have the ids of the one before, and
    /// hands it to `check`.
    ///
    /// Some ids have no video, some have the frame 0.0 once and -0.0 then; some rows are deleted, some of another version.
    fn with_table(rows: u64, repeat_each: u64, check: impl FnOnce(&Connection, &Latest<'_>)) {
        let home = TempDir::new();
        let catalog = Catalog::DuckDb(CatalogFile::new(home.join("lake.ducklake")).unwrap());
        let lake = Lake::builder(catalog, LocalFolder::new(home.join("data")).unwrap()).build().unwrap();
        let mut session = Session::default();
        let extensions = Value::from(deps().extensions().to_str().unwrap());
        session.settings.push(Setting::new("extension_directory", extensions).unwrap());
        let store = Store::attach(&lake, &session, Mode::Write).unwrap();
        let graph = FeatureGraph::new(FeatureDefinition::from_toml(GRAPH, &"test".parse().unwrap()).unwrap()).unwrap();
        let features = store.features(&graph, FeatureOptions::new()).unwrap();
        let (key, connection) = ("a".parse().unwrap(), store.connection());
        let one = connection.another().unwrap();
        features.write(&key, one.query(ONE).unwrap().into_reader(), &WriteOptions::new()).unwrap();
        let many = sql!(
            "INSERT INTO a SELECT a.* REPLACE (
                 CASE WHEN n % 1000 <> 7 THEN 'v' || n // 7 END AS video,
                 CASE WHEN n % 7 <> 0 THEN n % 7 WHEN i % 2 = 0 THEN 0.0 ELSE -0.0 END AS frame,
                 i :: VARCHAR AS metaxy_provenance,
                 metaxy_updated_at + to_microseconds(i * 7919 % 1000) AS metaxy_updated_at,
                 CASE WHEN i % 300 = 0 THEN metaxy_updated_at + to_seconds(1) END AS metaxy_deleted_at,
                 CASE WHEN i % 97 = 0 THEN 'another' ELSE metaxy_feature_version END AS metaxy_feature_version)
             FROM a, (SELECT i, i - (i % {repeat_each} = 1)::INT AS n FROM range({rows}) AS t(i))",
            repeat_each,
            rows,
        );
        connection.execute(many).unwrap();
        let table =
            Table::find(&Listing::new(connection), &features.table_name(&key).unwrap(), At::Now).unwrap().unwrap();
        assert_eq!(table.rows(), rows + 1);
        let ids = id_columns(graph.get(&key).unwrap().spec()).unwrap();
        check(connection, &Latest::of(&table, &ids, features.feature_version(&key).unwrap()));
    }

    /// How many ids are found where so many rows are expected; the latest rows must be the same with and without them.
    fn found(connection: &Connection, latest: &Latest<'_>, expected_rows: u64) -> Option<i64> {
        let rows = |duplicates: Option<&DuplicateIds>| {
            let rows = connection.query(sql!(
                "SELECT r.metaxy_provenance, r.rowid FROM {rows} ORDER BY r.rowid",
                rows = latest.narrow_rows(duplicates, &[]),
            ));
            let rows = rows.unwrap();
            let (schema, batches) = (rows.schema(), rows.map(Result::unwrap).collect::<Vec<_>>());
            concat_batches(&schema, &batches).unwrap()
        };
        let duplicates = DuplicateIds::search(connection, expected_rows, latest.ids, &latest.candidates()).unwrap()?;
        assert_eq!(rows(Some(&duplicates)), rows(None));
        Some(connection.query_value(sql!("SELECT count(*) FROM {hashes}", hashes = duplicates.0)).unwrap())
    }

    #[test]
    fn the_latest_rows_are_the_same_whichever_ids_are_known_to_have_several() {
        with_table(20_000, 100, |connection, latest| {
            // Some 200 that have, and those without a video.
            let count = found(connection, latest, 20_000);
            assert!(count.is_some_and(|count| (200..260).contains(&count)), "{count:?}");
            // A filter that is too small takes more for seen.
            let more = found(connection, latest, 8_000);
            assert!(more > count, "{more:?}");
            // More than are expected, and more than there are to be worth it.
            assert_eq!(found(connection, latest, 1_000), None);
        });
        with_table(20_000, 10, |connection, latest| assert_eq!(found(connection, latest, 20_000_000), None));
    }

    #[test]
    fn only_a_large_table_is_looked_at() {
        with_table(20_000, 100, |connection, latest| {
            assert!(latest.duplicate_ids(connection).unwrap().is_none());
        });
        with_table(LOOKED_AT.start, 100, |connection, latest| {
            assert!(latest.duplicate_ids(connection).unwrap().is_some());
        });
    }
}
