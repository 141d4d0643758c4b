//! What is new, stale or orphaned among a feature's rows, found in one pass inside DuckDB.
//!
//! The pass looks at ids, versions of fields and row numbers only, at one snapshot of the lake. What it finds goes into
//! a temporary table; the user's columns are fetched by row number, for the rows that come out.

use std::collections::BTreeMap;

use arrow::record_batch::RecordBatchReader;
use ducklake_sql::{Ident, Sql, Value, Writer};
use metaxy_feature::{Column, DepPlan, FeatureKey, FeaturePlan, Lineage};

use super::filter::Filter;
use super::hash::Hashing;
use super::names::{TableName, ident, idents};
use super::problem::{Problem, names};
use super::read::Latest;
use super::repeated::Repeated;
use super::stage::{NamedColumn, Stage};
use super::table::{At, BY_FIELD, ByField, Table};
use super::transaction::once;
use super::{Features, id_columns, members, sorted};
use crate::connection::{Connection, Rows};
use crate::error::Error;

/// How to look for an update; write `ResolveOptions { …, ..ResolveOptions::default() }`.
#[derive(Debug, Clone, Default)]
pub struct ResolveOptions {
    /// Conditions on the rows of single features, upstream ones or the feature itself, by their stored columns.
    pub filters: BTreeMap<FeatureKey, Vec<Filter>>,
    /// Conditions on the rows of every feature that is looked at.
    pub global_filters: Vec<Filter>,
    /// Conditions on a feature's present rows that make one stale, whatever its versions say.
    pub stale_if: Vec<Filter>,
    /// Whether to take every row as new, without a look at the feature's present rows.
    pub skip_comparison: bool,
    /// Whether to look for upstream features in the store only, not in its fallback stores.
    pub own_only: bool,
    /// Whether the rows that an aggregation makes one of come out as one: the first by their ids, with the provenance of
    /// all. Otherwise each comes out with it, as in Python.
    pub distinct: bool,
}

impl ResolveOptions {
    /// The conditions on the rows of a feature.
    pub(super) fn filters_of(&self, key: &FeatureKey) -> Vec<Filter> {
        self.global_filters.iter().chain(self.filters.get(key).into_iter().flatten()).cloned().collect()
    }
}

/// What there is to do with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// The feature has no row with these ids.
    New,
    /// It has one, made from other versions.
    Stale,
    /// It has one, but upstream there is none any more.
    Orphaned,
}

impl Change {
    /// Every kind of change.
    pub const ALL: [Self; 3] = [Self::New, Self::Stale, Self::Orphaned];

    fn number(self) -> u64 {
        match self {
            Self::New => 0,
            Self::Stale => 1,
            Self::Orphaned => 2,
        }
    }
}

/// What is new, stale and orphaned; see [`Features::resolve_update`].
///
/// It keeps what was found in a connection of its own, so the store can be written while its rows are read.
#[derive(Debug)]
pub struct Increment {
    connection: Connection,
    counts: [usize; 3],
    queries: [Sql; 3],
}

impl Increment {
    /// How many rows there are to do this with.
    pub fn count(&self, change: Change) -> usize {
        match change {
            Change::New => self.counts[0],
            Change::Stale => self.counts[1],
            Change::Orphaned => self.counts[2],
        }
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.counts == [0; 3]
    }

    /// The rows, as the engine produces them.
    ///
    /// New and stale ones have the ids, the columns of the upstream features, and the provenance with which to
    /// write them; orphaned ones have the columns of the feature's table.
    ///
    /// # Errors
    ///
    /// When the lake cannot be read.
    pub fn rows(&mut self, change: Change) -> Result<Rows<'_>, Error> {
        let [new, stale, orphaned] = &self.queries;
        let query = match change {
            Change::New => new,
            Change::Stale => stale,
            Change::Orphaned => orphaned,
        };
        self.connection.query(query.clone())
    }
}

impl Features<'_> {
    /// Compares a feature's rows with those of the features it depends on.
    ///
    /// ```no_run
    /// use metaxy_store_duckdb::{Change, Features, ResolveOptions};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let features: Features<'_> = unreachable!();
    /// let mut increment = features.resolve_update(&"video/crop".parse()?, &ResolveOptions::default())?;
    /// println!("{} new, {} stale", increment.count(Change::New), increment.count(Change::Stale));
    /// for batch in increment.rows(Change::Stale)? {
    ///     println!("{} rows", batch?.num_rows());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the feature depends on no other (see [`resolve_samples`](Self::resolve_samples)), an upstream feature has
    /// no table, dependencies share no id column or both have a column, a filter does not fit, or a table was written
    /// with another hash.
    pub fn resolve_update(&self, key: &FeatureKey, options: &ResolveOptions) -> Result<Increment, Error> {
        let connection = self.connection.elsewhere()?;
        let mut snapshots = Snapshots::new(&connection);
        let plan = self.plan(key)?;
        let (diff, found) = once(&connection, || self.on(&connection).compare(plan, options, &mut snapshots))?;
        diff.into_increment(connection, &found)
    }

    /// Compares the rows of a feature that depends on no other with samples: ids, `metaxy_provenance_by_field`, and
    /// what else is to come out with them.
    ///
    /// # Errors
    ///
    /// When the feature depends on others, the samples do not fit it, a filter does not fit, or the table was written
    /// with another hash.
    pub fn resolve_samples(
        &self,
        key: &FeatureKey,
        samples: impl RecordBatchReader,
        options: &ResolveOptions,
    ) -> Result<Increment, Error> {
        let connection = self.connection.elsewhere()?;
        let plan = self.plan(key)?;
        if !plan.deps.is_empty() {
            return Err(Problem::Samples(key.clone()).into());
        }
        let stage = Stage::fill(&connection, key, id_columns(plan.spec)?, samples)?;
        let members = members(plan.spec)?;
        let [provenance, data_version] = BY_FIELD;
        stage.check_ids(key)?;
        super::write::by_field(&stage, key, data_version, &members)?;
        let Some(by_field) = super::write::by_field(&stage, key, provenance, &members)? else {
            return Err(Problem::MissingColumns { feature: key.clone(), columns: names([provenance]) }.into());
        };
        let (table, columns) = stage.keep();
        let samples = Samples { table, columns, by_field };
        let (diff, found) = once(&connection, || {
            let mut snapshots = Snapshots::new(&connection);
            let diff = Diff::new(&self.on(&connection), plan, Expected::Samples(samples), options, &mut snapshots)?;
            let found = diff.find(&connection)?;
            Ok((diff, found))
        })?;
        diff.into_increment(connection, &found)
    }

    pub(super) fn plan(&self, key: &FeatureKey) -> Result<FeaturePlan<'_>, Error> {
        self.graph.plan(key).ok_or_else(|| self.unknown(key))
    }

    /// Compares a feature's rows with those of the features it depends on, and keeps in a table what is found.
    pub(super) fn compare<'g>(
        &self,
        plan: FeaturePlan<'g>,
        options: &ResolveOptions,
        snapshots: &mut Snapshots<'_>,
    ) -> Result<(Diff<'g>, TableName), Error> {
        let sides = self.sides(&plan, options, snapshots)?;
        let diff = Diff::new(self, plan, Expected::Upstream(sides), options, snapshots)?;
        let found = diff.find(self.connection)?;
        Ok((diff, found))
    }

    /// The upstream tables, required ones first.
    fn sides(
        &self,
        plan: &FeaturePlan<'_>,
        options: &ResolveOptions,
        snapshots: &mut Snapshots<'_>,
    ) -> Result<Vec<Side>, Error> {
        let key = plan.spec.key();
        if plan.deps.is_empty() {
            return Err(Problem::NoSamples(key.clone()).into());
        }
        if plan.input_id_columns.is_empty() {
            return Err(Problem::NothingShared(key.clone()).into());
        }
        let mut deps: Vec<&DepPlan<'_>> = plan.deps.iter().collect();
        deps.sort_by_key(|dep| dep.dep.optional);
        let mut sides: Vec<Side> = Vec::new();
        for dep in deps {
            let upstream = dep.upstream.key();
            let table = self.table_or_fallback(upstream, options.own_only, |lake| snapshots.of(lake))?;
            table.check_hash(self.connection, self.hashing, &members(dep.upstream)?)?;
            let side = Side::new(self.connection, plan, dep, table, self.feature_version(upstream)?, options)?;
            for other in &sides {
                let both = side.carried.iter().filter(|(_, name)| other.carried.iter().any(|(_, other)| other == name));
                let both: Vec<&str> = both.map(|(_, name)| name.as_str()).collect();
                if !both.is_empty() {
                    return Err(Problem::Collision { feature: key.clone(), columns: names(both) }.into());
                }
            }
            sides.push(side);
        }
        Ok(sides)
    }
}

/// The snapshot at which every table of a lake is looked at, so that a write in between changes nothing.
pub(super) struct Snapshots<'c> {
    connection: &'c Connection,
    of: Vec<(Ident, i64)>,
}

impl<'c> Snapshots<'c> {
    pub(super) fn new(connection: &'c Connection) -> Self {
        Self { connection, of: Vec::new() }
    }

    /// Of the lake with this alias: the current one when it was asked for first.
    pub(super) fn of(&mut self, lake: &Ident) -> Result<At, Error> {
        if let Some((_, known)) = self.of.iter().find(|(known, _)| known == lake) {
            return Ok(At::Snapshot(*known));
        }
        let current = self.connection.number(&Sql::build(|sql| {
            sql.keyword("SELECT id FROM ducklake_current_snapshot(");
            sql.bind("lake", &Value::from(lake.as_str())).keyword(")");
        }))?;
        self.of.push((lake.clone(), current));
        Ok(At::Snapshot(current))
    }
}

/// One dependency: its table, and what of it is needed.
struct Side {
    feature: FeatureKey,
    table: Table,
    ids: Vec<Ident>,
    version: String,
    repeated: Option<Repeated>,
    optional: bool,
    /// The stored names of the columns to join by, in the order of the plan.
    keys: Vec<Ident>,
    /// The members of its versions that fields of the feature depend on.
    members: Vec<Ident>,
    /// The user's columns that come out: stored names and new ones.
    carried: Vec<(Ident, Ident)>,
    /// Conditions on stored columns.
    filters: Vec<Filter>,
    /// Conditions on columns by their new names, and the stored name of each.
    renamed_filters: Vec<Filter>,
    stored: Vec<(Ident, Ident)>,
    /// Of an aggregation, the stored names of the columns that rows are grouped by.
    groups: Option<Vec<Ident>>,
    /// Whether a group becomes one row.
    distinct: bool,
}

impl Side {
    fn new(
        connection: &Connection,
        plan: &FeaturePlan<'_>,
        plan_dep: &DepPlan<'_>,
        table: Table,
        version: &str,
        options: &ResolveOptions,
    ) -> Result<Self, Error> {
        let (dep, upstream) = (plan_dep.dep, plan_dep.upstream);
        let feature = upstream.key().clone();
        let new_name = |stored: &Ident| -> Result<Ident, Problem> {
            let column: Column = stored.as_str().parse().map_err(Problem::Feature)?;
            ident(dep.renamed(&column).as_str())
        };
        let stored: Vec<(Ident, Ident)> =
            table.user_columns().map(|name| Ok((name.clone(), new_name(name)?))).collect::<Result<_, Problem>>()?;
        let find = |column: &Column| -> Result<Ident, Problem> {
            let found = stored.iter().find(|(_, new)| new.as_str() == column.as_str());
            let missing = || Problem::ForeignTable {
                table: table.name().name().to_string(),
                what: ["it has no ", &names([column.as_str()])].concat(),
            };
            found.map(|(stored, _)| stored.clone()).ok_or_else(missing)
        };
        let columns = |columns: &[&Column]| columns.iter().map(|column| find(column)).collect::<Result<Vec<_>, _>>();
        let groups = matches!(dep.lineage, Lineage::Aggregation { .. });
        // Python keeps the selected columns, and those of the lineage or else the ids.
        let kept_anyway = |name: &str| plan_dep.input_id_columns.iter().any(|column| column.as_str() == name);
        let is_selected = |name: &str| {
            dep.select.as_ref().is_none_or(|select| select.iter().any(|column| column.as_str() == name))
                || kept_anyway(name)
        };
        let unordered: Vec<&str> =
            plan_dep.id_columns.iter().map(|column| column.as_str()).filter(|name| !is_selected(name)).collect();
        if groups && !unordered.is_empty() {
            let columns = names(unordered);
            return Err(Problem::Unordered { feature: plan.spec.key().clone(), upstream: feature, columns }.into());
        }
        let is_key = |name: &Ident| plan.input_id_columns.iter().any(|key| key.as_str() == name.as_str());
        let carried = stored.iter().filter(|(_, new)| is_selected(new.as_str()) && !is_key(new)).cloned().collect();
        let parents = plan.fields.iter().flat_map(|field| &field.parents);
        let mut members: Vec<Ident> = Vec::new();
        for parent in parents.filter(|parent| *parent.feature == feature) {
            let member = ident(&parent.struct_key)?;
            if !members.contains(&member) {
                members.push(member);
            }
        }
        let filters = options.filters_of(&feature);
        let renamed_filters =
            dep.filters.iter().flatten().map(|text| text.parse()).collect::<Result<Vec<Filter>, Error>>()?;
        for filter in &renamed_filters {
            let unknown = |name: &&str| !stored.iter().any(|(_, new)| new.as_str() == *name);
            if let Some(column) = filter.columns().into_iter().find(unknown) {
                let (filter, column) = (filter.to_string(), column.to_owned());
                return Err(Problem::FilterColumn { filter, column, feature }.into());
            }
        }
        let keys = columns(&plan.input_id_columns)?;
        let groups = if groups { Some(columns(&plan_dep.input_id_columns)?) } else { None };
        let ids = id_columns(upstream)?;
        let latest = Latest::of(&table, &ids, version);
        latest.check(connection, &feature, &filters)?;
        latest.check_members(connection, &members)?;
        let repeated = Repeated::find_of(connection, &latest)?;
        Ok(Self {
            feature,
            ids,
            version: version.to_owned(),
            repeated,
            optional: dep.optional,
            keys,
            members,
            carried,
            filters,
            renamed_filters,
            groups,
            distinct: options.distinct,
            stored,
            table,
        })
    }

    /// Writes the common table expressions that make `uN`: keys `k0…`, row number `rN`, versions `dN_0…`.
    fn write(&self, sql: &mut Writer, number: u64, hashing: Hashing) {
        sql.keyword(if self.groups.is_some() { "a" } else { "u" }).number(number).keyword(" AS (SELECT ");
        let list = |sql: &mut Writer, columns: &[Ident], name: &'static str| {
            for (index, column) in columns.iter().enumerate() {
                sql.keyword("r.").ident(column).keyword(" AS ").keyword(name).number(index as u64).keyword(", ");
            }
        };
        list(sql, &self.keys, "k");
        if let Some(groups) = &self.groups {
            list(sql, groups, "g");
            list(sql, &self.ids, "o");
        }
        for (index, member) in self.members.iter().enumerate() {
            let by_field = self.table.data_version();
            by_field.write_member(sql, |sql| _ = sql.keyword("r.metaxy_data_version_by_field"), member);
            sql.keyword(" AS d").number(number).keyword("_").number(index as u64).keyword(", ");
        }
        sql.keyword("r.rowid AS r").number(number).keyword(" FROM ");
        Latest::of(&self.table, &self.ids, &self.version).write_narrow(sql, self.repeated.as_ref(), &self.filters);
        let stored = |sql: &mut Writer, column: &Ident| {
            let found = self.stored.iter().find(|(_, new)| new == column);
            sql.keyword("r.").ident(found.map_or(column, |(stored, _)| stored));
        };
        for filter in &self.renamed_filters {
            filter.write(sql.keyword(" AND "), &stored);
        }
        sql.keyword("), ");
        if let Some(groups) = &self.groups {
            self.write_groups(sql, number, groups.len(), hashing);
        }
    }

    /// Writes what turns the versions of `aN` into those of its groups, and so makes `uN`.
    fn write_groups(&self, sql: &mut Writer, number: u64, groups: usize, hashing: Hashing) {
        let members = 0..self.members.len() as u64;
        let in_order = |sql: &mut Writer| {
            for id in 0..self.ids.len() {
                sql.keyword(if id == 0 { " ORDER BY o" } else { ", o" }).number(id as u64).keyword(" NULLS LAST");
            }
            sql.keyword(")");
        };
        sql.keyword(if self.distinct { "u" } else { "g" }).number(number).keyword(" AS (SELECT ");
        for group in (0..groups as u64).filter(|_| !self.distinct) {
            sql.keyword("g").number(group).keyword(", ");
        }
        for member in members.clone() {
            hashing.write(sql, |sql| {
                sql.keyword("string_agg(d").number(number).keyword("_").number(member).keyword(", '|'");
                in_order(sql);
            });
            sql.keyword(" AS d").number(number).keyword("_").number(member).keyword(", ");
        }
        if self.distinct {
            for key in 0..self.keys.len() as u64 {
                in_order(sql.keyword("first(k").number(key));
                sql.keyword(" AS k").number(key).keyword(", ");
            }
            in_order(sql.keyword("first(r").number(number));
            sql.keyword(" AS r").number(number);
        } else {
            sql.keyword("count(*) AS rows");
        }
        sql.keyword(" FROM a").number(number).keyword(" GROUP BY ");
        for group in 0..groups {
            sql.comma(group).keyword("g").number(group as u64);
        }
        sql.keyword("), ");
        if self.distinct {
            return;
        }
        sql.keyword("u").number(number).keyword(" AS (SELECT ");
        for key in 0..self.keys.len() as u64 {
            sql.keyword("a.k").number(key).keyword(", ");
        }
        for member in members {
            sql.keyword("g.d").number(number).keyword("_").number(member).keyword(", ");
        }
        sql.keyword("a.r").number(number).keyword(" FROM a").number(number).keyword(" AS a JOIN g").number(number);
        for group in 0..groups {
            sql.keyword(if group == 0 { " AS g ON a.g" } else { " AND a.g" }).number(group as u64);
            sql.keyword(" IS NOT DISTINCT FROM g.g").number(group as u64);
        }
        sql.keyword("), ");
    }
}

/// Samples of a root feature, in a temporary table.
struct Samples {
    table: TableName,
    columns: Vec<NamedColumn>,
    by_field: ByField,
}

/// What the rows of the feature should be made from.
enum Expected {
    Upstream(Vec<Side>),
    Samples(Samples),
}

/// What the rows of a feature should be, whatever they are; in a temporary table of the connection.
pub(super) struct Made {
    /// The query of the rows that [`Increment::rows`] would hand out as new.
    pub(super) rows: Sql,
    /// What its `metaxy_provenance_by_field` is.
    pub(super) by_field: ByField,
    /// The id columns that its rows have.
    pub(super) ids: Vec<Ident>,
}

impl Features<'_> {
    /// Makes what the rows of a feature should be, those of one group being one.
    pub(super) fn make(&self, connection: &Connection, key: &FeatureKey) -> Result<Made, Error> {
        let plan = self.plan(key)?;
        let options = ResolveOptions { skip_comparison: true, distinct: true, ..ResolveOptions::default() };
        let mut snapshots = Snapshots::new(connection);
        let sides = self.sides(&plan, &options, &mut snapshots)?;
        let carried = sides.iter().flat_map(|side| side.carried.iter().map(|(_, name)| name.clone()));
        let carried: Vec<Ident> = carried.collect();
        let diff = Diff::new(self, plan, Expected::Upstream(sides), &options, &mut snapshots)?;
        let found = diff.find(connection)?;
        let has = |id: &&Ident| diff.keys.contains(id) || carried.contains(id);
        let ids = diff.ids.iter().filter(has).cloned().collect();
        let rows = Sql::build(|sql| diff.write_columns(sql, &found, true));
        Ok(Made { rows, by_field: diff.by_field, ids })
    }
}

/// Counts what was found, in the order of [`Change::ALL`].
pub(super) fn count_changes(connection: &Connection, found: &TableName) -> Result<[usize; 3], Error> {
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

/// The comparison of a feature's rows with what they should be.
pub(super) struct Diff<'g> {
    plan: FeaturePlan<'g>,
    /// The members of the feature's structs, in the order of its specification.
    members: Vec<Ident>,
    /// The columns that rows are joined and compared by.
    keys: Vec<Ident>,
    expected: Expected,
    /// The feature's table, unless there is none or it is not to be compared.
    current: Option<Table>,
    ids: Vec<Ident>,
    version: String,
    repeated: Option<Repeated>,
    filters: Vec<Filter>,
    stale_if: Vec<Filter>,
    hashing: Hashing,
    by_field: ByField,
}

impl<'g> Diff<'g> {
    fn new(
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
            table.check_hash(features.connection, features.hashing, &members)?;
            let latest = Latest::of(table, &ids, &version);
            latest.check(features.connection, key, &filters)?;
            latest.check(features.connection, key, &options.stale_if)?;
            Latest::of(table, &keys, &version).check(features.connection, key, &[])?;
        }
        let latest = current.as_ref().map(|table| Latest::of(table, &ids, &version));
        let repeated = latest.map_or(Ok(None), |latest| Repeated::find_of(features.connection, &latest))?;
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
            repeated,
            filters,
            stale_if,
            hashing,
            by_field,
        })
    }

    /// Compares, and keeps what is found in a temporary table.
    fn find(&self, connection: &Connection) -> Result<TableName, Error> {
        let found = TableName::temporary()?;
        connection.execute(Sql::build(|sql| {
            found.write(sql.keyword("CREATE TEMP TABLE "));
            self.write(sql.keyword(" AS "));
        }))?;
        Ok(found)
    }

    /// Counts the feature's present rows; `None` if it has no table, or is not to be compared.
    pub(super) fn count_present(&self, connection: &Connection) -> Result<Option<usize>, Error> {
        let latest = self.current.as_ref().map(|table| Latest::of(table, &self.ids, &self.version));
        latest.map(|latest| latest.count(connection, self.repeated.as_ref(), &self.filters)).transpose()
    }

    /// Keeps what was found with the connection.
    fn into_increment(self, connection: Connection, found: &TableName) -> Result<Increment, Error> {
        let counts = count_changes(&connection, found)?;
        let mut left = counts.into_iter();
        let queries = Change::ALL.map(|change| {
            Sql::build(|sql| {
                // Where there are none, the columns are wanted, and no table needs to be read for them.
                let any = left.next().is_some_and(|count| count > 0);
                self.write_rows(sql, found, change, any);
            })
        });
        Ok(Increment { connection, counts, queries })
    }

    /// Writes the query of what changed: `change`, keys `k0…`, versions of fields `h0…`, of the sample `p`, and row numbers.
    fn write(&self, sql: &mut Writer) {
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
    fn write_expected(&self, sql: &mut Writer) {
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
    fn write_joined(&self, sql: &mut Writer, sides: &[Side]) {
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
    fn write_current(&self, sql: &mut Writer, table: &Table) {
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
        Latest::of(table, &self.ids, &self.version).write_narrow(sql, self.repeated.as_ref(), &self.filters);
        if collapsed {
            for key in 0..self.keys.len() {
                sql.keyword(if key == 0 { " GROUP BY " } else { ", " }).number(key as u64 + 1);
            }
        }
        sql.keyword(")");
    }

    /// Writes the query of the rows that changed in this way, if there are any; of their columns otherwise.
    fn write_rows(&self, sql: &mut Writer, found: &TableName, change: Change, any: bool) {
        if change == Change::Orphaned
            && let Some(table) = &self.current
        {
            for (index, (column, _)) in table.all_columns().iter().enumerate() {
                sql.keyword(if index == 0 { "SELECT c." } else { ", c." }).ident(column);
            }
            table.write_if(any, sql.keyword(" FROM "), |sql| _ = sql.keyword("c"));
            found.write(sql.keyword(" JOIN "));
            sql.keyword(" AS f ON c.rowid = f.rc WHERE f.change = 2");
            return;
        }
        self.write_columns(sql, found, any);
        sql.keyword(" WHERE f.change = ").number(change.number());
    }

    /// Writes the query of rows to be made, but for which of them; those of the lake only if there are any.
    fn write_columns(&self, sql: &mut Writer, found: &TableName, any: bool) {
        sql.keyword("SELECT ");
        for (index, key) in self.keys.iter().enumerate() {
            sql.keyword("f.k").number(index as u64).keyword(" AS ").ident(key).keyword(", ");
        }
        let mut given = Vec::new();
        match &self.expected {
            Expected::Upstream(sides) => {
                for (number, side) in sides.iter().enumerate() {
                    for (stored, new) in &side.carried {
                        sql.keyword("u").number(number as u64).keyword(".").ident(stored).keyword(" AS ").ident(new);
                        sql.keyword(", ");
                    }
                }
            }
            Expected::Samples(samples) => {
                let made = |name: &Ident| {
                    self.keys.contains(name)
                        || matches!(name.as_str(), "metaxy_provenance" | "metaxy_provenance_by_field")
                };
                for (column, _) in samples.columns.iter().filter(|(name, _)| !made(name)) {
                    sql.keyword("u0.").ident(column).keyword(", ");
                    given.push(column.as_str());
                }
            }
        }
        let by_field = |sql: &mut Writer| {
            self.by_field.write_value(sql, &self.members, |sql, at| _ = sql.keyword("f.h").number(at as u64));
        };
        by_field(sql);
        sql.keyword(" AS metaxy_provenance_by_field, f.p AS metaxy_provenance");
        if !given.contains(&"metaxy_data_version_by_field") {
            by_field(sql.keyword(", "));
            sql.keyword(" AS metaxy_data_version_by_field");
            if !given.contains(&"metaxy_data_version") {
                sql.keyword(", f.p AS metaxy_data_version");
            }
        }
        found.write(sql.keyword(" FROM "));
        sql.keyword(" AS f");
        let on = |sql: &mut Writer, number: u64| {
            sql.keyword(" ON u").number(number).keyword(".rowid = f.r").number(number);
        };
        match &self.expected {
            Expected::Upstream(sides) => {
                for (number, side) in sides.iter().enumerate().filter(|(_, side)| !side.carried.is_empty()) {
                    let number = number as u64;
                    let alias = |sql: &mut Writer| _ = sql.keyword("u").number(number);
                    side.table.write_if(any, sql.keyword(" LEFT JOIN "), alias);
                    on(sql, number);
                }
            }
            Expected::Samples(samples) => {
                samples.table.write(sql.keyword(" LEFT JOIN "));
                on(sql.keyword(" AS u0"), 0);
            }
        }
    }
}
