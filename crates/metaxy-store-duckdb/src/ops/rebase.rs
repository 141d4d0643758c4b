//! Rebasing: rows of one version of a feature written again as rows of another, without computing the samples anew.

use ducklake_sql::{Ident, Sql, all, bind, columns, sql};
use metaxy_feature::FeatureKey;

use crate::engine::{Error, end_stream, now, read_again, with_retry};
use crate::features::Features;
use crate::increment::ExpectedRows;
use crate::query::{Latest, check_hash};
use crate::table::{Listing, Problem, Table, id_columns, inlining, members, text_or_null};

/// How to rebase; `RebaseOptions::new()` and what is to be otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RebaseOptions {
    pub(crate) to: Option<String>,
    pub(crate) dry_run: bool,
    pub(crate) materialization_id: Option<String>,
}

impl RebaseOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The version to rebase to, of a graph that was pushed; the one that the graph at hand gives the feature if `None`.
    pub fn to(mut self, to: impl Into<Option<String>>) -> Self {
        self.to = to.into();
        self
    }

    /// Whether only to count.
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// The run that rebases, kept in `metaxy_materialization_id`.
    pub fn materialization_id(mut self, materialization_id: impl Into<Option<String>>) -> Self {
        self.materialization_id = materialization_id.into();
        self
    }
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
    /// let rows = features.rebase(&"video/crop".parse()?, "987564b2", &RebaseOptions::new())?;
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
        self.rebase_from(key, from, options).map_err(|error| error.in_operation("rebasing", key.as_str()))
    }

    fn rebase_from(&self, key: &FeatureKey, from: &str, options: &RebaseOptions) -> Result<usize, Error> {
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
        let (table, expected) = read_again(&connection, || {
            let table = here.table(key, &Listing::new(&connection))?;
            check_hash(&table, &connection, self.hashing, &members)?;
            Ok((table, here.expected_rows(&connection, key)?))
        })?;
        if expected.ids.is_empty() {
            return Err(Problem::NothingShared(key.clone()).into());
        }
        let rebase = Rebase { ids: &ids, members: &members, expected: &expected, from };
        if options.dry_run {
            let count: i64 = connection.query_value(sql!("SELECT count(*) FROM {rows}", rows = rebase.rows(&table)))?;
            return Ok(usize::try_from(count).unwrap_or_default());
        }
        let prepare = || {
            let listing = Listing::new(&connection);
            let table = here.table(key, &listing)?;
            let needs_file = inlining::would_lose(&listing, table.columns(), &rebase.latest(&table).rows(&[]))?;
            Ok((table, needs_file))
        };
        let versions = [self.feature_version(key)?, project_version];
        end_stream(self.connection)?;
        with_retry(&connection, prepare, |(mut table, needs_file)| {
            table.grow(&connection, &[], &members)?;
            let insert = rebase.insert(&table, versions, options);
            let insert = || connection.run(&insert);
            if needs_file { inlining::without(&connection, insert) } else { insert() }
        })
    }
}

/// Rows of a version, and what they should be.
struct Rebase<'r> {
    ids: &'r [Ident],
    members: &'r [Ident],
    expected: &'r ExpectedRows,
    from: &'r str,
}

impl Rebase<'_> {
    fn latest<'t>(&'t self, table: &'t Table) -> Latest<'t> {
        Latest { table, ids: self.ids, version: None, per_version: false, all_rows: false, deleted: false, keys: None }
    }

    /// What stands behind FROM: rows as `r`, what they should be as `expected`.
    fn rows(&self, table: &Table) -> Sql {
        sql!(
            "(SELECT r.* FROM {latest} AND r.metaxy_feature_version = {from}) AS r
             JOIN ({expected}) AS expected ON {on}",
            latest = self.latest(table).rows(&[]),
            from = bind(self.from),
            expected = self.expected.rows,
            on = all(self.expected.ids.iter().map(|id| sql!("r.{id} = expected.{id}", id))),
        )
    }

    fn insert(&self, table: &Table, versions: [&str; 2], options: &RebaseOptions) -> Sql {
        let [feature_version, project_version] = versions;
        let by_field = Sql::fixed("expected.metaxy_provenance_by_field");
        let version = |member: &Ident| {
            let is_made = self.members.contains(member);
            if is_made { self.expected.by_field.member(&by_field, member) } else { sql!("CAST(NULL AS VARCHAR)") }
        };
        let members = table.data_version().members().unwrap_or(self.members);
        sql!(
            "INSERT INTO {table} BY NAME
             SELECT
                 {user_columns},
                 {provenance_by_field} AS metaxy_provenance_by_field,
                 expected.metaxy_provenance,
                 CASE WHEN {is_given} THEN r.metaxy_data_version_by_field ELSE {data_version_by_field} END
                     AS metaxy_data_version_by_field,
                 CASE WHEN {is_given} THEN r.metaxy_data_version ELSE expected.metaxy_provenance END
                     AS metaxy_data_version,
                 {feature_version} AS metaxy_feature_version,
                 {project_version} AS metaxy_project_version,
                 r.metaxy_created_at,
                 {now} AS metaxy_updated_at,
                 {materialization_id} AS metaxy_materialization_id
             FROM {rows}",
            table = table.name(),
            user_columns = columns("r", table.user_columns()),
            provenance_by_field = table.provenance().value(self.members, version),
            // A data version that is not the provenance was given by a user.
            is_given = Sql::fixed(
                "r.metaxy_data_version IS DISTINCT FROM r.metaxy_provenance AND r.metaxy_data_version IS NOT NULL"
            ),
            data_version_by_field = table.data_version().value(members, version),
            feature_version = bind(feature_version),
            project_version = bind(project_version),
            now = table.time("metaxy_updated_at", now()),
            materialization_id = text_or_null(options.materialization_id.as_deref()),
            rows = self.rows(table),
        )
    }
}
