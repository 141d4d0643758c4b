//! The ids that a large table may have several rows of.
//!
//! To tell them takes a group, and which row is the latest a sort, of all rows; but most ids have one row only. So the
//! hashes of all ids go through a Bloom filter first. Of those that it has seen before, or takes for such, the rows are
//! grouped or sorted; no others are.

use std::iter;
use std::sync::Arc;

use arrow::array::{AsArray as _, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, UInt64Type};
use ducklake_sql::{Ident, Sql, Writer};
use fastbloom::BloomFilter;

use super::names::TableName;
use super::read::Latest;
use super::stage::columns_of;
use crate::connection::Connection;
use crate::error::Error;

/// A table of fewer rows is sorted in less time than it is looked at twice.
const MANY: u64 = 500_000;

/// Bits of the filter for each row, two of which it sets: of a thousand ids one is then taken for another.
const BITS_PER_ROW: u64 = 32;

/// The most bits of the filter, 128 MB. Rows beyond a billion find most of them set, and are sorted.
const MOST_BITS: u64 = 1 << 30;

/// The ids that may have several rows.
#[derive(Debug, Clone)]
pub(crate) enum Repeated {
    /// Any of them.
    Any,
    /// None of them.
    None,
    /// Those whose hash is in this temporary table.
    In(TableName),
}

impl Repeated {
    /// Those of about so many rows, which stand behind FROM; any of them if that is not many.
    pub(crate) fn find(
        connection: &Connection,
        rows: u64,
        ids: &[Ident],
        from: impl FnOnce(&mut Writer),
    ) -> Result<Self, Error> {
        if rows < MANY { Ok(Self::Any) } else { Self::look(connection, rows, ids, from) }
    }

    /// Those of the rows among which the latest are wanted.
    pub(crate) fn find_of(connection: &Connection, latest: &Latest<'_>) -> Result<Self, Error> {
        Self::find(connection, latest.table.rows(), latest.ids, |sql| latest.write_candidates(sql))
    }

    /// Writes, behind a WHERE or AND, what holds for the rows of these ids.
    pub(crate) fn write(&self, sql: &mut Writer, ids: &[Ident]) {
        match self {
            Self::Any => _ = sql.keyword("TRUE"),
            Self::None => _ = sql.keyword("FALSE"),
            Self::In(hashes) => {
                write_hash(sql, ids);
                hashes.write(sql.keyword(" IN (FROM "));
                sql.keyword(")");
            }
        }
    }

    fn look(connection: &Connection, rows: u64, ids: &[Ident], from: impl FnOnce(&mut Writer)) -> Result<Self, Error> {
        let bits = usize::try_from(rows.saturating_mul(BITS_PER_ROW).min(MOST_BITS)).unwrap_or(usize::MAX);
        let mut seen = BloomFilter::with_num_bits(bits).hashes(2);
        let mut again: Vec<u64> = Vec::new();
        let batches = connection.query(Sql::build(|sql| {
            write_hash(sql.keyword("SELECT "), ids);
            from(sql.keyword(" FROM "));
        }))?;
        for batch in batches {
            let batch = batch?;
            let hashes = batch.column(0).as_primitive::<UInt64Type>().values();
            again.extend(hashes.iter().filter(|hash| seen.insert_hash(**hash)));
            // From here on it is faster to take all than to tell them apart.
            if again.len() as u64 > rows / 8 {
                return Ok(Self::Any);
            }
        }
        if again.is_empty() {
            return Ok(Self::None);
        }
        let table = TableName::temporary()?;
        connection.execute(Sql::build(|sql| {
            table.write(sql.keyword("CREATE TEMP TABLE "));
            sql.keyword(" (hash UBIGINT)");
        }))?;
        let schema = Arc::new(Schema::new(vec![Field::new("hash", DataType::UInt64, false)]));
        let hashes = RecordBatch::try_new(schema, vec![Arc::new(UInt64Array::from(again))]);
        connection.append(table.name(), iter::once(hashes))?;
        Ok(Self::In(table))
    }
}

/// Writes the hash of a row's ids: that by which DuckDB groups, so that equal ids have one.
fn write_hash(sql: &mut Writer, ids: &[Ident]) {
    columns_of(sql.keyword("hash("), ids).keyword(")");
}

#[cfg(test)]
mod tests {
    use arrow::compute::concat_batches;
    use ducklake_sql::{Catalog, CatalogFile, Lake, LocalFolder, Mode, Session, Setting, Value};
    use metaxy_feature::{FeatureDefinition, FeatureGraph};
    use metaxy_testkit::{TempDir, deps};

    use super::*;
    use crate::feature::table::{At, Table};
    use crate::feature::{Deletion, FeatureOptions, WriteOptions, id_columns};
    use crate::store::Store;

    const GRAPH: &str = "[[feature]]\nkey = 'a'\nid_columns = ['video', 'frame']\nfields = ['x']";

    /// Rows of two ids each, of which every so many are written again, and a few deleted.
    fn check(again: Option<u64>, expected_rows: u64, is_found: impl Fn(&Repeated) -> bool) {
        let home = TempDir::new();
        let catalog = Catalog::DuckDb(CatalogFile::new(home.join("lake.ducklake")).unwrap());
        let lake = Lake::on(catalog, LocalFolder::new(home.join("data")).unwrap()).build().unwrap();
        let mut session = Session::default();
        let extensions = Value::from(deps().extensions().to_str().unwrap());
        session.settings.push(Setting::new("extension_directory", extensions).unwrap());
        let store = Store::attach(&lake, &session, Mode::Write).unwrap();
        let graph = FeatureGraph::new(FeatureDefinition::from_toml(GRAPH, &"test".parse().unwrap()).unwrap()).unwrap();
        let features = store.features(&graph, FeatureOptions::default()).unwrap();
        let (key, connection) = ("a".parse().unwrap(), store.connection());
        let source = connection.another().unwrap();
        let write = |each: u64, salt: &str| {
            let rows = Sql::build(|sql| {
                sql.keyword("SELECT 'v' || i // 7 AS video, i % 7 AS frame, {'x': i || ");
                sql.bind("salt", &Value::from(salt)).keyword("} AS metaxy_provenance_by_field FROM range(0, 20_000, ");
                sql.number(each).keyword(") AS t(i)");
            });
            features.write(&key, source.query(rows).unwrap().into_reader(), &WriteOptions::default()).unwrap();
        };
        write(1, "");
        if let Some(each) = again {
            write(each, "-2");
            features.delete(&key, &["video = 'v5'".parse().unwrap()], Deletion::Soft).unwrap();
        }

        let table = Table::find(connection, &features.table_name(&key).unwrap(), At::Now).unwrap().unwrap();
        let ids = id_columns(graph.get(&key).unwrap().spec()).unwrap();
        let latest = Latest::of(&table, &ids, features.feature_version(&key).unwrap());
        let rows = |repeated: &Repeated| {
            let rows = connection.query(Sql::build(|sql| {
                latest.write_narrow(
                    sql.keyword("SELECT r.video, r.frame, r.metaxy_provenance, r.rowid FROM "),
                    repeated,
                    &[],
                );
                sql.keyword(" ORDER BY video, frame");
            }));
            let rows = rows.unwrap();
            let (schema, batches) = (rows.schema(), rows.map(Result::unwrap).collect::<Vec<_>>());
            concat_batches(&schema, &batches).unwrap()
        };
        let from = |sql: &mut Writer| latest.write_candidates(sql);
        let repeated = Repeated::look(connection, expected_rows, &ids, from).unwrap();
        assert!(is_found(&repeated), "{again:?}, {expected_rows}: {repeated:?}");
        assert_eq!(rows(&repeated), rows(&Repeated::Any), "{again:?}, {expected_rows}");
    }

    #[test]
    fn the_latest_rows_are_the_same_whichever_ids_are_known_to_have_several() {
        check(None, 20_000 * 1000, |repeated| matches!(repeated, Repeated::None));
        check(Some(100), 20_000, |repeated| matches!(repeated, Repeated::In(_)));
        // A filter that is too small takes many ids for others.
        check(Some(1000), 10_000, |repeated| matches!(repeated, Repeated::In(_)));
        check(Some(2), 20_000, |repeated| matches!(repeated, Repeated::Any));
    }
}
