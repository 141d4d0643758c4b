//! Lakes whose catalog MotherDuck keeps.

use crate::lake::{Lake, Mode};
use crate::plan::Check;
use crate::problem::{Collector, Problems};
use crate::secret::CreateSecret;
use crate::session::Setting;
use crate::spec::spec;
use crate::statement::{CreateDatabase, Statement};
use crate::storage::ObjectStorage;
use crate::value::{Ident, StringLiteral, Value};

/// A lake in MotherDuck that can be planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MotherDuck {
    pub(crate) database: Ident,
    pub(crate) region: Option<Setting>,
    pub(crate) storage: Option<ObjectStorage>,
    pub(crate) create_if_not_exists: bool,
}

impl MotherDuck {
    pub(crate) fn extensions(&self) -> Vec<&'static str> {
        let mut names = vec!["motherduck"];
        if let Some(storage) = &self.storage {
            names.extend(storage.extensions());
        } else if self.region.is_some() {
            names.push("httpfs");
        }
        names
    }

    pub(crate) fn attach(&self, mode: Mode, statements: &mut Vec<Statement>) -> Vec<Check> {
        statements.push(Statement::AttachMotherDuck);
        if let (Mode::Write, Some(storage)) = (mode, &self.storage) {
            if self.create_if_not_exists {
                statements.push(Statement::CreateDatabase(CreateDatabase {
                    name: self.database.clone(),
                    data_path: StringLiteral::trusted(storage.path.as_str()),
                }));
            }
            let secret = storage.create.clone().map(CreateSecret::into_motherduck);
            statements.extend(secret.map(Statement::CreateSecret));
        }
        statements.push(Statement::Use(self.database.clone()));
        Vec::new()
    }
}

spec! {
    /// A MotherDuck lake as a person describes it; [`build`](Self::build) makes it one that can be planned.
    ///
    /// Without a storage MotherDuck keeps the data; with one it is a bucket of one's own.
    ///
    /// ```
    /// use ducklake_sql::Lake;
    ///
    /// let lake = Lake::mother_duck("analytics").build()?;
    /// assert_eq!(lake.alias().as_str(), "analytics");
    /// # Ok::<(), ducklake_sql::Problems>(())
    /// ```
    #[derive(Debug, Clone, Default)]
    #[non_exhaustive]
    pub struct MotherDuckSpec {
        /// The database in MotherDuck.
        pub database: String,
        /// The region of MotherDuck's own storage, such as `eu-central-1`.
        pub region: Option<String>,
    }
    unnamed {
        /// A bucket of one's own.
        pub storage: Option<ObjectStorage>,
    }
}

impl MotherDuckSpec {
    /// Checks the description.
    ///
    /// # Errors
    ///
    /// All problems at once: no database, an empty region.
    pub fn build(self) -> Result<Lake, Problems> {
        let mut problems = Collector::default();
        let database = problems.take("database", Ident::new(self.database));
        let region = self.region.and_then(|region| {
            let value = Value::Text(region);
            problems.take("region", value.validate())?;
            problems.take("region", Setting::new("s3_region", value))
        });
        let lake =
            database.map(|database| MotherDuck { database, region, storage: self.storage, create_if_not_exists: true });
        problems.finish(lake.map(Lake::from))
    }
}
