//! The comparison of a feature's rows with what they should be: one query over ids, versions and row numbers.

use ducklake_sql::{Ident, Sql, WriteSql, all, any, bind, list, numbered, separated, sql};
use metaxy_feature::{FeaturePlan, Lineage};

use super::mark::{Basis, Mark};
use super::pass::{FullPass, Pass};
use super::upstream::Upstream;
use super::{Change, ResolveOptions};
use crate::engine::{Connection, Error};
use crate::features::Features;
use crate::query::{Filter, Hashing, Keys, Latest, Snapshots, check_hash, column_of_r};
use crate::table::{ByField, DuplicateIds, NamedColumn, Table, TableName, id_columns, idents, members, sorted};

/// Samples of a root feature, in a temporary table.
#[derive(Clone)]
pub(super) struct Samples {
    pub(super) table: TableName,
    pub(super) columns: Vec<NamedColumn>,
    pub(super) by_field: ByField,
}

/// What the rows of the feature should be made from.
pub(super) enum Expected {
    Upstream(Vec<Upstream>),
    Samples(Samples),
}

/// The comparison of a feature's rows with what they should be.
pub(crate) struct Comparison<'g> {
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
    /// The keys that are compared; `None` for all.
    compared: Option<Keys>,
    pub(super) pass: Pass,
    /// What a mark of what is found is about; an error where none can be kept.
    pub(super) basis: Result<Basis, FullPass>,
}

impl<'g> Comparison<'g> {
    pub(super) fn new(
        features: &Features<'_>,
        plan: FeaturePlan<'g>,
        expected: Expected,
        options: &ResolveOptions,
        snapshots: &Snapshots<'_>,
    ) -> Result<Self, Error> {
        let key = plan.spec.key();
        let members = members(plan.spec)?;
        let name = features.table_name(key)?;
        let current = Table::find(snapshots.listing(), &name, snapshots.of(&features.alias)?)?;
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
        let maps = if features.options.maps { ByField::Map } else { ByField::Struct(members.clone()) };
        let by_field = match &current {
            Some(table) if *table.provenance() == ByField::Map => ByField::Map,
            Some(_) => ByField::Struct(members.clone()),
            None => maps,
        };
        let hashing = features.hashing;
        let stale_if = options.stale_if.clone();
        let mut comparison = Self {
            plan,
            members,
            keys,
            expected,
            current,
            ids,
            version,
            duplicate_ids: None,
            filters,
            stale_if,
            hashing,
            by_field,
            compared: None,
            pass: Pass::Full(FullPass::Asked),
            basis: Err(FullPass::Asked),
        };
        comparison.basis = Basis::of(&comparison, features, options, snapshots)?;
        match comparison.changed(features.connection, options)? {
            Ok((mark, keys)) => {
                comparison.pass = Pass::Changed { since: mark.snapshot, keys: keys.count() };
                comparison.compared = Some(keys);
            }
            Err(reason) => {
                comparison.pass = Pass::Full(reason);
                comparison.find_duplicate_ids(features.connection)?;
            }
        }
        if !matches!(comparison.basis, Err(FullPass::NotUpstream)) {
            tracing::info!(feature = comparison.plan.spec.key().as_str(), "comparing {}", comparison.pass);
        }
        Ok(comparison)
    }

    /// The mark whose keys and what has changed since are all that there is to compare; or why there is none.
    fn changed(
        &self,
        connection: &Connection,
        options: &ResolveOptions,
    ) -> Result<Result<(Mark, Keys), FullPass>, Error> {
        match &self.basis {
            Err(reason) => Ok(Err(*reason)),
            Ok(_) if options.full => Ok(Err(FullPass::Asked)),
            Ok(basis) => basis.changed(self, connection),
        }
    }

    /// Looks for the ids that several rows may have, of each table.
    fn find_duplicate_ids(&mut self, connection: &Connection) -> Result<(), Error> {
        if let Expected::Upstream(upstreams) = &mut self.expected {
            for upstream in upstreams {
                upstream.find_duplicate_ids(connection)?;
            }
        }
        if let Some(table) = &self.current {
            self.duplicate_ids = Latest::of(table, &self.ids, &self.version).duplicate_ids(connection)?;
        }
        Ok(())
    }

    /// Compares, and keeps what is found in a temporary table.
    pub(super) fn find(&self, connection: &Connection) -> Result<TableName, Error> {
        let found = TableName::temporary()?;
        connection.execute(sql!("CREATE TEMP TABLE {found} AS {query}", found, query = self.query()))?;
        Ok(found)
    }

    /// Compares, and counts what is found, in the order of [`Change::ALL`]; and the feature's present rows, unless it has
    /// no table or is not to be compared.
    pub(crate) fn count(&self, connection: &Connection) -> Result<([usize; 3], Option<usize>), Error> {
        let Some(table) = &self.current else {
            return Ok((count_changes(connection, sql!("({query})", query = self.query()))?, None));
        };
        if !self.has_each_row_once() || self.compared.is_some() {
            let counts = count_changes(connection, sql!("({query})", query = self.query()))?;
            let latest = Latest::of(table, &self.ids, &self.version);
            let duplicate_ids = match &self.compared {
                Some(_) => latest.duplicate_ids(connection)?,
                None => None,
            };
            let duplicate_ids = duplicate_ids.as_ref().or(self.duplicate_ids.as_ref());
            return Ok((counts, Some(latest.count(connection, duplicate_ids, &self.filters)?)));
        }
        let both = sql!("c.row_id IS NOT NULL AND e.present IS NOT NULL");
        let counted: Option<(i64, i64, i64, i64)> = connection.query_row(sql!(
            "WITH {expressions}
             SELECT
                 count(*) FILTER (c.row_id IS NULL),
                 count(*) FILTER ({both} AND ({is_stale})),
                 count(*) FILTER (e.present IS NULL),
                 count(c.row_id)
             FROM {joined}",
            expressions = list(self.expected().into_iter().chain([self.current(table)])),
            is_stale = Self::is_stale(),
            joined = self.joined_with_current(),
            both,
        ))?;
        let (new, stale, orphaned, present) = counted.unwrap_or_default();
        let [new, stale, orphaned, present] =
            [new, stale, orphaned, present].map(|count| usize::try_from(count).unwrap_or_default());
        Ok(([new, stale, orphaned], Some(present)))
    }

    /// Whether a present row is in the comparison exactly once: what it is compared with has one row for each key, and no
    /// rows are collapsed.
    fn has_each_row_once(&self) -> bool {
        let one_per_key =
            |upstream: &Upstream| upstream.groups.is_none() && upstream.ids.iter().all(|id| upstream.keys.contains(id));
        match &self.expected {
            Expected::Upstream(upstreams) => !self.is_collapsed() && upstreams.iter().all(one_per_key),
            Expected::Samples(_) => true,
        }
    }

    /// The query of what changed: `change`, the columns `key_0…`, the versions `field_0…` of fields, `row_id_0…` of the
    /// rows that it is made from, `provenance`, and `current_row_id`.
    pub(super) fn query(&self) -> Sql {
        let mut expressions = self.expected();
        let Some(table) = &self.current else {
            return sql!(
                "WITH {expressions}
                 SELECT 0 AS change, expected.*, CAST(NULL AS BIGINT) AS current_row_id FROM expected",
                expressions = list(expressions),
            );
        };
        expressions.push(self.current(table));
        let keys = (0..self.keys.len()).map(|at| numbered("key_", at));
        let (is_stale, joined) = (Self::is_stale(), self.joined_with_current());
        let sources = match &self.expected {
            Expected::Upstream(upstreams) => upstreams.len(),
            Expected::Samples(_) => 1,
        };
        sql!(
            "WITH {expressions}
             SELECT
                 CASE WHEN c.row_id IS NULL THEN 0 WHEN e.present IS NULL THEN 2 ELSE 1 END AS change,
                 {keys},
                 {fields},
                 {row_ids},
                 e.provenance,
                 c.row_id AS current_row_id
             FROM {joined}
             WHERE c.row_id IS NULL OR e.present IS NULL OR {is_stale}",
            expressions = list(expressions),
            keys = list(keys.clone().map(|key| sql!("coalesce(e.{key}, c.{key}) AS {key}", key))),
            fields = list((0..self.members.len()).map(|at| sql!("e.{field}", field = numbered("field_", at)))),
            row_ids = list((0..sources).map(|at| sql!("e.{row_id}", row_id = numbered("row_id_", at)))),
            joined,
            is_stale,
        )
    }

    /// What stands behind FROM: what the rows should be as `e`, and the present ones as `c`.
    fn joined_with_current(&self) -> Sql {
        let same_key = |at| sql!("e.{key} = c.{key}", key = numbered("key_", at));
        sql!("expected AS e FULL JOIN current AS c ON {same_keys}", same_keys = all((0..self.keys.len()).map(same_key)),)
    }

    /// Whether a present row is to be made again, where it is known what it should be.
    fn is_stale() -> Sql {
        sql!("c.provenance IS NULL OR e.provenance <> c.provenance OR c.is_stale")
    }

    /// The common table expressions that end in `expected`: what the rows should be.
    fn expected(&self) -> Vec<Sql> {
        let mut expressions = Vec::new();
        let fields = match &self.expected {
            Expected::Upstream(upstreams) => {
                let keys = self.compared.as_ref();
                let of = |(number, upstream): (usize, &Upstream)| upstream.expressions(number, self.hashing, keys);
                expressions.extend(upstreams.iter().enumerate().flat_map(of));
                self.joined(upstreams)
            }
            Expected::Samples(samples) => self.fields_of(samples),
        };
        expressions.push(sql!("fields AS ({fields})", fields));
        let field = |member| {
            let at = self.members.iter().position(|other| other == member).unwrap_or_default();
            numbered("field_", at)
        };
        let provenance = self.hashing.of_joined(sorted(&self.members).iter().map(field));
        expressions.push(sql!("expected AS (SELECT *, {provenance} AS provenance FROM fields)", provenance));
        expressions
    }

    /// The samples, with the version of each field.
    fn fields_of(&self, samples: &Samples) -> Sql {
        let by_field = Sql::fixed("r.metaxy_provenance_by_field");
        let key = |(at, key)| sql!("r.{key} AS {name}", key, name = numbered("key_", at));
        let field = |(at, member)| {
            let version = samples.by_field.member(&by_field, member);
            sql!("{version} AS {name}", version, name = numbered("field_", at))
        };
        sql!(
            "SELECT TRUE AS present, {keys}, {fields}, r.rowid AS row_id_0 FROM {samples} AS r",
            keys = list(self.keys.iter().enumerate().map(key)),
            fields = list(self.members.iter().enumerate().map(field)),
            samples = samples.table,
        )
    }

    /// The upstream rows joined, with the version of each field that is made from them.
    fn joined(&self, upstreams: &[Upstream]) -> Sql {
        let all_optional = upstreams.iter().all(|upstream| upstream.optional);
        let alias = |number| numbered("upstream_", number);
        // Where every upstream feature is optional, a key comes from the first that has the row.
        let key = |at, of_the_first: usize| {
            let numbers = 0..if all_optional { of_the_first } else { 1 };
            let keys =
                numbers.map(|number| sql!("{upstream}.{key}", upstream = alias(number), key = numbered("key_", at)));
            sql!("coalesce({keys})", keys = list(keys))
        };
        let join = |(number, upstream): (usize, &Upstream)| {
            let kind = match (all_optional, upstream.optional) {
                (true, _) => sql!("FULL JOIN"),
                (_, true) => sql!("LEFT JOIN"),
                _ => sql!("JOIN"),
            };
            let same_key = |at| {
                let expected = key(at, number);
                sql!("{expected} = {upstream}.{key}", expected, upstream = alias(number), key = numbered("key_", at))
            };
            let on = all((0..self.keys.len()).map(same_key));
            sql!("{kind} {upstream} ON {on}", kind, upstream = alias(number), on)
        };
        let keys = (0..self.keys.len())
            .map(|at| sql!("{key} AS {name}", key = key(at, upstreams.len()), name = numbered("key_", at)));
        let row_ids = (0..upstreams.len())
            .map(|at| sql!("{upstream}.row_id AS {name}", upstream = alias(at), name = numbered("row_id_", at)));
        let fields = (0..self.plan.fields.len()).map(|at| {
            sql!("{version} AS {name}", version = self.version_of_field(at, upstreams), name = numbered("field_", at))
        });
        sql!(
            "SELECT TRUE AS present, {keys}, {row_ids}, {fields} FROM upstream_0 {joins}",
            keys = list(keys),
            row_ids = list(row_ids),
            fields = list(fields),
            joins = separated(" ", upstreams.iter().enumerate().skip(1).map(join)),
        )
    }

    /// The version of a field: the hash of its own name and code version, and of the names and versions of its parents.
    fn version_of_field(&self, at: usize, upstreams: &[Upstream]) -> Sql {
        let Some(field) = self.plan.fields.get(at) else { return self.hashing.of(None::<Sql>) };
        let mut pieces = Vec::new();
        let mut constant = [field.key.as_str(), "|", field.code_version].concat();
        for parent in &field.parents {
            constant.extend(["|", &parent.name, "|"]);
            let found = upstreams.iter().enumerate().find_map(|(number, upstream)| {
                let member = upstream.members.iter().position(|member| member.as_str() == parent.struct_key)?;
                (upstream.feature == *parent.feature).then_some((number, member))
            });
            let Some((upstream, member)) = found else { continue };
            pieces.push(sql!("{field}", field = bind(std::mem::take(&mut constant))));
            let (upstream, version) = (numbered("upstream_", upstream), numbered("version_", member));
            pieces.push(if parent.optional {
                sql!("coalesce({upstream}.{version}, '')", upstream, version)
            } else {
                sql!("{upstream}.{version}", upstream, version)
            });
        }
        if !constant.is_empty() {
            pieces.push(sql!("{field}", field = bind(constant)));
        }
        self.hashing.of(pieces)
    }

    /// Whether several rows made of one upstream row are one row here; if they are not of one version, all are stale.
    fn is_collapsed(&self) -> bool {
        self.plan.deps.iter().any(|dep| matches!(dep.dep.lineage, Lineage::Expansion { .. }))
    }

    /// The common table expression `current`: the feature's present rows.
    fn current(&self, table: &Table) -> Sql {
        let keys = list(
            (self.keys.iter().enumerate()).map(|(at, key)| sql!("r.{key} AS {name}", key, name = numbered("key_", at))),
        );
        let stale = any(self.stale_if.iter().map(|filter| filter.condition(&column_of_r)));
        let latest = Latest::of(table, &self.ids, &self.version).among(self.compared.as_ref(), &self.keys);
        let rows = latest.narrow_rows(self.duplicate_ids.as_ref(), &self.filters);
        if !self.is_collapsed() {
            return sql!(
                "current AS (
                     SELECT {keys}, r.rowid AS row_id, r.metaxy_provenance AS provenance,
                         coalesce({stale}, FALSE) AS is_stale
                     FROM {rows}
                 )",
                keys,
                stale,
                rows,
            );
        }
        sql!(
            "current AS (
                 SELECT
                     {keys},
                     min(r.rowid) AS row_id,
                     CASE WHEN min(r.metaxy_provenance) = max(r.metaxy_provenance) THEN min(r.metaxy_provenance) END
                         AS provenance,
                     coalesce(bool_or({stale}), FALSE) AS is_stale
                 FROM {rows}
                 GROUP BY {by}
             )",
            keys,
            stale,
            rows,
            by = list(1..=self.keys.len()),
        )
    }
}

/// Counts what was found, in the order of [`Change::ALL`].
pub(super) fn count_changes(connection: &Connection, found: impl WriteSql) -> Result<[usize; 3], Error> {
    let count = |change: Change| sql!("count(*) FILTER (change = {change})", change = change.number());
    let counts = list(Change::ALL.map(count));
    let counted: Option<(i64, i64, i64)> = connection.query_row(sql!("SELECT {counts} FROM {found}", counts, found))?;
    let (new, stale, orphaned) = counted.unwrap_or_default();
    Ok([new, stale, orphaned].map(|count| usize::try_from(count).unwrap_or_default()))
}
