//! The upstream tables of a feature: what of them is needed, and the query that makes the versions of their rows.

use ducklake_sql::{Ident, Writer};
use metaxy_feature::{Column, DepPlan, FeatureKey, FeaturePlan, Lineage};

use super::ResolveOptions;
use crate::engine::{Connection, Error};
use crate::features::Features;
use crate::query::{Filter, Hashing, Latest, Snapshots, check_hash};
use crate::table::{DuplicateIds, Problem, Table, id_columns, ident, members, names};

impl Features<'_> {
    /// The upstream tables, required ones first.
    pub(super) fn sides(
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
            check_hash(&table, self.connection, self.hashing, &members(dep.upstream)?)?;
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

/// One dependency: its table, and what of it is needed.
pub(super) struct Side {
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

impl Side {
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
        let duplicate_ids = latest.duplicate_ids(connection)?;
        Ok(Self {
            feature,
            ids,
            version: version.to_owned(),
            duplicate_ids,
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
    pub(super) fn write(&self, sql: &mut Writer, number: u64, hashing: Hashing) {
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
        Latest::of(&self.table, &self.ids, &self.version).write_narrow(sql, self.duplicate_ids.as_ref(), &self.filters);
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
    pub(super) fn write_groups(&self, sql: &mut Writer, number: u64, groups: usize, hashing: Hashing) {
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
