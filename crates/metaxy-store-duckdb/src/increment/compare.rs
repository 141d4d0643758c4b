//! The comparison of a feature's rows with what they should be: one query over ids, versions and row numbers.

use ducklake_sql::{Ident, Sql, Value, Writer};
use metaxy_feature::{FeaturePlan, Lineage};

use super::upstream::Side;
use super::{Change, ResolveOptions};
use crate::engine::{Connection, Error};
use crate::features::Features;
use crate::query::{Filter, Hashing, Latest, Snapshots, check_hash};
use crate::table::{ByField, DuplicateIds, NamedColumn, Table, TableName, id_columns, idents, members, sorted};

/// Samples of a root feature, in a temporary table.
pub(super) struct Samples {
    pub(super) table: TableName,
    pub(super) columns: Vec<NamedColumn>,
    pub(super) by_field: ByField,
}

/// What the rows of the feature should be made from.
pub(super) enum Expected {
    Upstream(Vec<Side>),
    Samples(Samples),
}

/// The comparison of a feature's rows with what they should be.
pub(crate) struct Diff<'g> {
    pub(super) plan: FeaturePlan<'g>,
    /// The members of the feature's structs, in the order of its specification.
    pub(super) members: Vec<Ident>,
    /// The columns that rows are joined and compared by.
    pub(super) keys: Vec<Ident>,
    pub(super) expected: Expected,
    /// The feature's table, unless there is none or it is not to be compared.
    pub(super) current: Option<Table>,
    pub(super) ids: Vec<Ident>,
    pub(super) version: String,
    pub(super) duplicate_ids: Option<DuplicateIds>,
    pub(super) filters: Vec<Filter>,
    pub(super) stale_if: Vec<Filter>,
    pub(super) hashing: Hashing,
    pub(super) by_field: ByField,
}

impl<'g> Diff<'g> {
    pub(super) fn new(
        features: &Features<'_>,
        plan: FeaturePlan<'g>,
        expected: Expected,
        options: &ResolveOptions,
        snapshots: &mut Snapshots<'_>,
    ) -> Result<Self, Error> {
        let key = plan.spec.key();
        let members = members(plan.spec)?;
        let name = features.table_name(key)?;
        let current = Table::find(features.connection, &name, snapshots.of(&features.alias)?)?;
        let current = current.filter(|_| !options.skip_comparison);
        let ids = id_columns(plan.spec)?;
        let keys = match expected {
            Expected::Upstream(_) => idents(plan.input_id_columns.iter().copied())?,
            Expected::Samples(_) => ids.clone(),
        };
        let version = features.feature_version(key)?.to_owned();
        let filters = options.filters_of(key);
        if let Some(table) = &current {
            check_hash(table, features.connection, features.hashing, &members)?;
            let latest = Latest::of(table, &ids, &version);
            latest.check(features.connection, key, &filters)?;
            latest.check(features.connection, key, &options.stale_if)?;
            Latest::of(table, &keys, &version).check(features.connection, key, &[])?;
        }
        let latest = current.as_ref().map(|table| Latest::of(table, &ids, &version));
        let duplicate_ids = latest.map_or(Ok(None), |latest| latest.duplicate_ids(features.connection))?;
        let maps = if features.options.maps { ByField::Map } else { ByField::Struct(members.clone()) };
        let by_field = match &current {
            Some(table) if *table.provenance() == ByField::Map => ByField::Map,
            Some(_) => ByField::Struct(members.clone()),
            None => maps,
        };
        let hashing = features.hashing;
        let stale_if = options.stale_if.clone();
        Ok(Self {
            plan,
            members,
            keys,
            expected,
            current,
            ids,
            version,
            duplicate_ids,
            filters,
            stale_if,
            hashing,
            by_field,
        })
    }

    /// Compares, and keeps what is found in a temporary table.
    pub(super) fn find(&self, connection: &Connection) -> Result<TableName, Error> {
        let found = TableName::temporary()?;
        connection.execute(Sql::build(|sql| {
            found.write(sql.keyword("CREATE TEMP TABLE "));
            self.write(sql.keyword(" AS "));
        }))?;
        Ok(found)
    }

    /// Counts the feature's present rows; `None` if it has no table, or is not to be compared.
    pub(crate) fn count_present(&self, connection: &Connection) -> Result<Option<usize>, Error> {
        let latest = self.current.as_ref().map(|table| Latest::of(table, &self.ids, &self.version));
        latest.map(|latest| latest.count(connection, self.duplicate_ids.as_ref(), &self.filters)).transpose()
    }

    /// Writes the query of what changed: `change`, keys `k0…`, versions of fields `h0…`, of the sample `p`, and row numbers.
    pub(super) fn write(&self, sql: &mut Writer) {
        sql.keyword("WITH ");
        self.write_expected(sql);
        let keys = 0..self.keys.len() as u64;
        let rows = match &self.expected {
            Expected::Upstream(sides) => sides.len() as u64,
            Expected::Samples(_) => 1,
        };
        let Some(table) = &self.current else {
            sql.keyword(" SELECT 0 AS change, e.*, CAST(NULL AS BIGINT) AS rc FROM p AS e");
            return;
        };
        self.write_current(sql.keyword(", "), table);
        sql.keyword(" SELECT CASE WHEN c.rc IS NULL THEN 0 WHEN e.present IS NULL THEN 2 ELSE 1 END AS change, ");
        for key in keys.clone() {
            sql.keyword("coalesce(e.k").number(key).keyword(", c.k").number(key).keyword(") AS k").number(key);
            sql.keyword(", ");
        }
        for member in 0..self.members.len() as u64 {
            sql.keyword("e.h").number(member).keyword(", ");
        }
        for row in 0..rows {
            sql.keyword("e.r").number(row).keyword(", ");
        }
        sql.keyword("e.p, c.rc FROM p AS e FULL JOIN c ON ");
        for key in keys {
            sql.keyword(if key == 0 { "e.k" } else { " AND e.k" }).number(key).keyword(" = c.k").number(key);
        }
        sql.keyword(" WHERE c.rc IS NULL OR e.present IS NULL OR c.cp IS NULL OR e.p <> c.cp OR c.cs");
    }

    /// Writes `e` and `p`: what the rows should be.
    pub(super) fn write_expected(&self, sql: &mut Writer) {
        match &self.expected {
            Expected::Upstream(sides) => {
                for (number, side) in sides.iter().enumerate() {
                    side.write(sql, number as u64, self.hashing);
                }
                self.write_joined(sql, sides);
            }
            Expected::Samples(samples) => {
                sql.keyword("e AS (SELECT TRUE AS present, ");
                for (index, key) in self.keys.iter().enumerate() {
                    sql.keyword("r.").ident(key).keyword(" AS k").number(index as u64).keyword(", ");
                }
                for (index, member) in self.members.iter().enumerate() {
                    let column = |sql: &mut Writer| _ = sql.keyword("r.metaxy_provenance_by_field");
                    samples.by_field.write_member(sql, column, member);
                    sql.keyword(" AS h").number(index as u64).keyword(", ");
                }
                samples.table.write(sql.keyword("r.rowid AS r0 FROM "));
                sql.keyword(" AS r)");
            }
        }
        sql.keyword(", p AS (SELECT *, ");
        self.hashing.write_joined(sql, &sorted(&self.members), |sql, member| {
            let index = self.members.iter().position(|other| other == member).unwrap_or_default();
            sql.keyword("h").number(index as u64);
        });
        sql.keyword(" AS p FROM e)");
    }

    /// Writes `e`: the dependencies joined, and the version of each field.
    pub(super) fn write_joined(&self, sql: &mut Writer, sides: &[Side]) {
        let all_optional = sides.iter().all(|side| side.optional);
        // Where every side may be missing, a key comes from the first that is not.
        let key = |sql: &mut Writer, key: u64, sides: u64| {
            sql.keyword("coalesce(");
            for side in 0..if all_optional { sides } else { 1 } {
                sql.keyword(if side == 0 { "u" } else { ", u" }).number(side).keyword(".k").number(key);
            }
            sql.keyword(")");
        };
        let keys = 0..self.keys.len() as u64;
        sql.keyword("e AS (SELECT TRUE AS present, ");
        for number in keys.clone() {
            key(sql, number, sides.len() as u64);
            sql.keyword(" AS k").number(number).keyword(", ");
        }
        for side in 0..sides.len() as u64 {
            sql.keyword("u").number(side).keyword(".r").number(side).keyword(", ");
        }
        for (index, field) in self.plan.fields.iter().enumerate() {
            sql.comma(index);
            self.hashing.write(sql, |sql| {
                let mut constant = [field.key.as_str(), "|", field.code_version].concat();
                let mut before = "";
                for parent in &field.parents {
                    constant.extend(["|", &parent.name, "|"]);
                    let found = sides.iter().enumerate().find_map(|(number, side)| {
                        let is_member = |member: &Ident| member.as_str() == parent.struct_key;
                        let member = side.members.iter().position(is_member)?;
                        (side.feature == *parent.feature).then_some((number as u64, member as u64))
                    });
                    let Some((side, member)) = found else { continue };
                    sql.keyword(before).bind("field", &Value::from(constant.as_str()));
                    sql.keyword(if parent.optional { ", coalesce(u" } else { ", u" }).number(side);
                    sql.keyword(".d").number(side).keyword("_").number(member);
                    sql.keyword(if parent.optional { ", '')" } else { "" });
                    constant.clear();
                    before = ", ";
                }
                if !constant.is_empty() {
                    sql.keyword(before).bind("field", &Value::from(constant.as_str()));
                }
            });
            sql.keyword(" AS h").number(index as u64);
        }
        sql.keyword(" FROM u0");
        for (number, side) in sides.iter().enumerate().skip(1) {
            let number = number as u64;
            sql.keyword(match (all_optional, side.optional) {
                (true, _) => " FULL JOIN u",
                (_, true) => " LEFT JOIN u",
                _ => " JOIN u",
            });
            sql.number(number).keyword(" ON ");
            for one in keys.clone() {
                key(sql.keyword(if one == 0 { "" } else { " AND " }), one, number);
                sql.keyword(" = u").number(number).keyword(".k").number(one);
            }
        }
        sql.keyword(")");
    }

    /// Writes `c`: the feature's present rows.
    pub(super) fn write_current(&self, sql: &mut Writer, table: &Table) {
        // Several rows made of one upstream row are one row here; if they are not of one version, all are stale.
        let collapsed = self.plan.deps.iter().any(|dep| matches!(dep.dep.lineage, Lineage::Expansion { .. }));
        sql.keyword("c AS (SELECT ");
        for (index, key) in self.keys.iter().enumerate() {
            sql.keyword("r.").ident(key).keyword(" AS k").number(index as u64).keyword(", ");
        }
        sql.keyword(if collapsed {
            "min(r.rowid) AS rc, CASE WHEN min(r.metaxy_provenance) = max(r.metaxy_provenance) \
             THEN min(r.metaxy_provenance) END AS cp, coalesce(bool_or("
        } else {
            "r.rowid AS rc, r.metaxy_provenance AS cp, coalesce(("
        });
        for (index, filter) in self.stale_if.iter().enumerate() {
            let column = |sql: &mut Writer, column: &Ident| _ = sql.keyword("r.").ident(column);
            filter.write(sql.keyword(if index == 0 { "" } else { " OR " }), &column);
        }
        sql.keyword(if self.stale_if.is_empty() { "FALSE), FALSE) AS cs FROM " } else { "), FALSE) AS cs FROM " });
        Latest::of(table, &self.ids, &self.version).write_narrow(sql, self.duplicate_ids.as_ref(), &self.filters);
        if collapsed {
            for key in 0..self.keys.len() {
                sql.keyword(if key == 0 { " GROUP BY " } else { ", " }).number(key as u64 + 1);
            }
        }
        sql.keyword(")");
    }
}

/// Counts what was found, in the order of [`Change::ALL`].
pub(crate) fn count_changes(connection: &Connection, found: &TableName) -> Result<[usize; 3], Error> {
    let counted = connection.rows_of_text(&Sql::build(|sql| {
        for (index, change) in Change::ALL.into_iter().enumerate() {
            sql.keyword(if index == 0 { "SELECT " } else { ", " }).keyword("CAST(count(*) FILTER (change = ");
            sql.number(change.number()).keyword(") AS VARCHAR)");
        }
        found.write(sql.keyword(" FROM "));
    }))?;
    let mut counted = counted.into_iter().flatten().flatten().map(|count| count.parse().unwrap_or_default());
    Ok(Change::ALL.map(|_| counted.next().unwrap_or_default()))
}
