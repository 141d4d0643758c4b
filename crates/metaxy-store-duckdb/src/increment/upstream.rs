//! The upstream tables of a feature: what of them is needed, and the query that makes the versions of their rows.

use ducklake_sql::{Ident, Sql, all, list, numbered, separated, sql};
use metaxy_feature::{Column, DepPlan, FeatureKey, FeaturePlan, Lineage};

use super::ResolveOptions;
use crate::engine::{Connection, Error};
use crate::features::Features;
use crate::query::{Filter, Hashing, Keys, Latest, Snapshots, check_hash, column_of_r};
use crate::table::{DuplicateIds, Problem, Table, id_columns, ident, members, names};

impl Features<'_> {
    /// The upstream tables, required ones first.
    pub(super) fn upstreams(
        &self,
        plan: &FeaturePlan<'_>,
        options: &ResolveOptions,
        snapshots: &Snapshots<'_>,
    ) -> Result<Vec<Upstream>, Error> {
        let key = plan.spec.key();
        if plan.deps.is_empty() {
            return Err(Problem::NoSamples(key.clone()).into());
        }
        if plan.input_id_columns.is_empty() {
            return Err(Problem::NothingShared(key.clone()).into());
        }
        let mut deps: Vec<&DepPlan<'_>> = plan.deps.iter().collect();
        deps.sort_by_key(|dep| dep.dep.optional);
        let mut upstreams: Vec<Upstream> = Vec::new();
        for dep in deps {
            let upstream = dep.upstream.key();
            let table =
                self.table_or_fallback(upstream, options.own_only, snapshots.listing(), |lake| snapshots.of(lake))?;
            check_hash(&table, self.connection, self.hashing, &members(dep.upstream)?)?;
            let upstream = Upstream::new(self.connection, plan, dep, table, self.feature_version(upstream)?, options)?;
            for other in &upstreams {
                let both =
                    upstream.carried.iter().filter(|(_, name)| other.carried.iter().any(|(_, other)| other == name));
                let both: Vec<&str> = both.map(|(_, name)| name.as_str()).collect();
                if !both.is_empty() {
                    return Err(Problem::Collision { feature: key.clone(), columns: names(both) }.into());
                }
            }
            upstreams.push(upstream);
        }
        Ok(upstreams)
    }
}

/// One dependency: its table, and what of it is needed.
pub(super) struct Upstream {
    pub(super) feature: FeatureKey,
    pub(super) table: Table,
    pub(super) ids: Vec<Ident>,
    pub(super) version: String,
    pub(super) duplicate_ids: Option<DuplicateIds>,
    pub(super) optional: bool,
    /// The stored names of the columns to join by, in the order of the plan.
    pub(super) keys: Vec<Ident>,
    /// The members of its versions that fields of the feature depend on.
    pub(super) members: Vec<Ident>,
    /// The user's columns that come out: stored names and new ones.
    pub(super) carried: Vec<(Ident, Ident)>,
    /// Conditions on stored columns.
    pub(super) filters: Vec<Filter>,
    /// Conditions on columns by their new names, and the stored name of each.
    pub(super) renamed_filters: Vec<Filter>,
    pub(super) stored: Vec<(Ident, Ident)>,
    /// Of an aggregation, the stored names of the columns that rows are grouped by.
    pub(super) groups: Option<Vec<Ident>>,
    /// Whether a group becomes one row.
    pub(super) distinct: bool,
}

impl Upstream {
    pub(super) fn new(
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
        Ok(Self {
            feature,
            ids,
            version: version.to_owned(),
            duplicate_ids: None,
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

    /// Looks for the ids that several rows may have.
    pub(super) fn find_duplicate_ids(&mut self, connection: &Connection) -> Result<(), Error> {
        self.duplicate_ids = Latest::of(&self.table, &self.ids, &self.version).duplicate_ids(connection)?;
        Ok(())
    }

    /// The common table expressions that end in `upstream_N`: the columns `key_0…` to join by, `row_id`, and the
    /// versions `version_0…` of the members; of the rows with these keys, if any are given.
    pub(super) fn expressions(&self, number: usize, hashing: Hashing, keys: Option<&Keys>) -> Vec<Sql> {
        let upstream = numbered("upstream_", number);
        let Some(groups) = &self.groups else {
            return vec![sql!("{upstream} AS ({rows})", upstream, rows = self.rows(&[], &[], keys))];
        };
        let rows = numbered("rows_", number);
        let mut expressions = vec![sql!("{rows} AS ({query})", rows, query = self.rows(groups, &self.ids, keys))];
        let group = |at| numbered("group_", at);
        let by = list((0..groups.len()).map(group));
        let order = list((0..self.ids.len()).map(|at| sql!("{id} NULLS LAST", id = numbered("id_", at))));
        let versions = (0..self.members.len()).map(|at| {
            let version = numbered("version_", at);
            let joined = sql!("string_agg({version}, '|' ORDER BY {order})", version, order);
            sql!("{hash} AS {version}", hash = hashing.of([joined]), version)
        });
        let versions = list(versions);
        if self.distinct {
            let keys = (0..self.keys.len()).map(|at| {
                let key = numbered("key_", at);
                sql!("first({key} ORDER BY {order}) AS {key}", key, order)
            });
            expressions.push(sql!(
                "{upstream} AS (
                     SELECT {versions}, {keys}, first(row_id ORDER BY {order}) AS row_id FROM {rows} GROUP BY {by}
                 )",
                upstream,
                versions,
                keys = list(keys),
                order,
                rows,
                by,
            ));
            return expressions;
        }
        let grouped = numbered("groups_", number);
        expressions.push(sql!(
            "{grouped} AS (SELECT {by}, {versions}, count(*) AS members FROM {rows} GROUP BY {by})",
            grouped,
            by,
            versions,
            rows,
        ));
        expressions.push(sql!(
            "{upstream} AS (SELECT {keys}, {versions}, r.row_id FROM {rows} AS r JOIN {grouped} AS g ON {same_group})",
            upstream,
            keys = list((0..self.keys.len()).map(|at| sql!("r.{key}", key = numbered("key_", at)))),
            versions = list((0..self.members.len()).map(|at| sql!("g.{version}", version = numbered("version_", at)))),
            rows,
            grouped,
            same_group =
                all((0..groups.len()).map(|at| sql!("r.{group} IS NOT DISTINCT FROM g.{group}", group = group(at)))),
        ));
        expressions
    }

    /// The latest rows of the table, with the columns `group_0…` and `id_0…` where they are to be grouped.
    fn rows(&self, groups: &[Ident], ids: &[Ident], keys: Option<&Keys>) -> Sql {
        let named = |columns: &[Ident], name| {
            let column = |(at, column)| sql!("r.{column} AS {name}", column, name = numbered(name, at));
            list(columns.iter().enumerate().map(column))
        };
        let by_field = Sql::fixed("r.metaxy_data_version_by_field");
        let version = |(at, member)| {
            let version = self.table.data_version().member(&by_field, member);
            sql!("{version} AS {name}", version, name = numbered("version_", at))
        };
        let stored = |column: &Ident| {
            let found = self.stored.iter().find(|(_, new)| new == column);
            column_of_r(found.map_or(column, |(stored, _)| stored))
        };
        let renamed = self.renamed_filters.iter().map(|filter| {
            let condition = filter.condition(&stored);
            sql!("AND {condition}", condition)
        });
        sql!(
            "SELECT {keys}, {groups}, {ids}, {versions}, r.rowid AS row_id FROM {rows} {renamed}",
            keys = named(&self.keys, "key_"),
            groups = named(groups, "group_"),
            ids = named(ids, "id_"),
            versions = list(self.members.iter().enumerate().map(version)),
            rows = Latest::of(&self.table, &self.ids, &self.version)
                .among(keys, &self.keys)
                .narrow_rows(self.duplicate_ids.as_ref(), &self.filters),
            renamed = separated(" ", renamed),
        )
    }
}
