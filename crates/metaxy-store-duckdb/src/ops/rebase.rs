//! Rebasing: rows of one version of a feature written again as rows of another, without computing the samples anew.

use ducklake_sql::{Ident, Sql, Value, Writer};
use metaxy_feature::FeatureKey;

use crate::engine::{Error, end_stream, in_transaction, now, with_retry};
use crate::features::Features;
use crate::increment::Made;
use crate::query::{Latest, check_hash};
use crate::table::{Problem, Table, id_columns, inlining, members};

/// How to rebase; write `RebaseOptions { …, ..RebaseOptions::default() }`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RebaseOptions {
    /// The version to rebase to, of a graph that was pushed; the one that the graph at hand gives the feature if `None`.
    pub to: Option<String>,
    /// Whether only to count.
    pub dry_run: bool,
    /// The run that rebases, kept in `metaxy_materialization_id`.
    pub materialization_id: Option<String>,
}

impl Features<'_> {
    /// Writes rows of one version of a feature again as rows of another, with the provenance that they have in it; for a
    /// change that leaves the samples as they are. The number of rows.
    ///
    /// Taken are the ids whose latest row is of the version `from`, and for which the upstream features have rows in the
    /// graph of the other version. A data version that a user gave stays. One transaction.
    ///
    /// ```no_run
    /// use metaxy_store_duckdb::{Features, RebaseOptions};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let features: Features<'_> = unreachable!();
    /// let rows = features.rebase(&"video/crop".parse()?, "987564b2", &RebaseOptions::default())?;
    /// println!("{rows} rows rebased");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the feature depends on no other, no graph was pushed with the version to rebase to, a table is missing or was
    /// written with another hash, or the lake cannot be written. Nothing is written then.
    pub fn rebase(&self, key: &FeatureKey, from: &str, options: &RebaseOptions) -> Result<usize, Error> {
        if !options.dry_run {
            self.must_write()?;
        }
        let definition = self.definition(key)?;
        if definition.spec().deps().is_empty() {
            return Err(Problem::RebaseOfRoot(key.clone()).into());
        }
        match options.to.as_deref() {
            Some(to) if to != self.feature_version(key)? => {
                let (graph, project_version) = self.graph_with(key, to)?;
                let versions = graph.versions(self.options.truncation);
                let (alias, own_options) = (self.alias.clone(), self.options.clone());
                let target = Features { graph: &graph, versions, alias, options: own_options, ..*self };
                target.rebase_here(key, from, &project_version, options)
            }
            _ => self.rebase_here(key, from, &self.project_version(definition), options),
        }
    }

    /// The same, to the version that this graph gives the feature.
    fn rebase_here(
        &self,
        key: &FeatureKey,
        from: &str,
        project_version: &str,
        options: &RebaseOptions,
    ) -> Result<usize, Error> {
        let spec = self.definition(key)?.spec();
        let (ids, members) = (id_columns(spec)?, members(spec)?);
        let connection = self.connection.elsewhere()?;
        let here = self.on(&connection);
        let (table, made) = in_transaction(&connection, || {
            let table = here.table(key)?;
            check_hash(&table, &connection, self.hashing, &members)?;
            Ok((table, here.make(&connection, key)?))
        })?;
        if made.ids.is_empty() {
            return Err(Problem::NothingShared(key.clone()).into());
        }
        let rebase = Rebase { ids: &ids, members: &members, made: &made, from };
        if options.dry_run {
            let count =
                connection.number(&Sql::build(|sql| rebase.write_from(sql.keyword("SELECT count(*)"), &table)))?;
            return Ok(usize::try_from(count).unwrap_or_default());
        }
        let look = || {
            let table = here.table(key)?;
            let needs_file = inlining::would_lose(&connection, table.columns(), |sql| {
                rebase.latest(&table).write(sql, &[]);
            })?;
            Ok((table, needs_file))
        };
        let versions = [self.feature_version(key)?, project_version];
        end_stream(self.connection)?;
        with_retry(&connection, look, |(mut table, needs_file)| {
            table.grow(&connection, &[], &members)?;
            let insert = Sql::build(|sql| rebase.write_insert(sql, &table, versions, options));
            let insert = || connection.execute(insert);
            if needs_file { inlining::without(&connection, insert) } else { insert() }
        })
    }
}

/// Rows of a version, and what they should be.
struct Rebase<'r> {
    ids: &'r [Ident],
    members: &'r [Ident],
    made: &'r Made,
    from: &'r str,
}

impl Rebase<'_> {
    fn latest<'t>(&'t self, table: &'t Table) -> Latest<'t> {
        Latest { table, ids: self.ids, version: None, per_version: false, all_rows: false, deleted: false }
    }

    /// Writes what stands behind SELECT: rows as `r`, what they should be as `f`.
    fn write_from(&self, sql: &mut Writer, table: &Table) {
        self.latest(table).write(sql.keyword(" FROM (SELECT r.* FROM "), &[]);
        sql.keyword(" AND r.metaxy_feature_version = ").bind("from", &Value::from(self.from));
        sql.keyword(") AS r JOIN (").part(&self.made.rows).keyword(") AS f ON ");
        for (index, id) in self.made.ids.iter().enumerate() {
            sql.keyword(if index == 0 { "r." } else { " AND r." }).ident(id).keyword(" = f.").ident(id);
        }
    }

    fn write_insert(&self, sql: &mut Writer, table: &Table, versions: [&str; 2], options: &RebaseOptions) {
        // A data version that is not the provenance was given by a user.
        const GIVEN: &str = "CASE WHEN r.metaxy_data_version IS DISTINCT FROM r.metaxy_provenance \
                             AND r.metaxy_data_version IS NOT NULL THEN ";
        let [feature_version, project_version] = versions;
        let provenance = |sql: &mut Writer, member: &Ident| {
            let is_made = self.members.contains(member);
            if is_made {
                self.made.by_field.write_member(sql, |sql| _ = sql.keyword("f.metaxy_provenance_by_field"), member);
            } else {
                sql.keyword("CAST(NULL AS VARCHAR)");
            }
        };
        table.name().write(sql.keyword("INSERT INTO "));
        sql.keyword(" BY NAME SELECT ");
        for column in table.user_columns() {
            sql.keyword("r.").ident(column).keyword(", ");
        }
        table.provenance().write_value(sql, self.members, |sql, at| provenance(sql, &self.members[at]));
        sql.keyword(" AS metaxy_provenance_by_field, f.metaxy_provenance, ").keyword(GIVEN);
        sql.keyword("r.metaxy_data_version_by_field ELSE ");
        let all = table.data_version().members().unwrap_or(self.members);
        table.data_version().write_value(sql, all, |sql, at| provenance(sql, &all[at]));
        sql.keyword(" END AS metaxy_data_version_by_field, ").keyword(GIVEN);
        sql.keyword("r.metaxy_data_version ELSE f.metaxy_provenance END AS metaxy_data_version, ");
        sql.bind("feature version", &Value::from(feature_version)).keyword(" AS metaxy_feature_version, ");
        sql.bind("project version", &Value::from(project_version)).keyword(" AS metaxy_project_version, ");
        table.write_time(sql.keyword("r.metaxy_created_at, "), "metaxy_updated_at", now());
        sql.keyword(" AS metaxy_updated_at, ");
        match &options.materialization_id {
            Some(id) => sql.bind("materialization id", &Value::from(id.as_str())),
            None => sql.keyword("CAST(NULL AS VARCHAR)"),
        };
        self.write_from(sql.keyword(" AS metaxy_materialization_id"), table);
    }
}
