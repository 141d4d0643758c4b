//! What is declared for a lake, compared with what it has stored, and applied step by step.

use ducklake_sql::{AttachPlan, Declared, Difference, Ident, Step, StoredState};

use super::message;
use super::problem::Problem;
use crate::engine::{Connection, Error, alone, read_again, transaction_with};
use crate::lake::{Store, stored_state};

/// What there is to do for a lake to have what is declared, see [`Store::plan_declared`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PlannedLake {
    /// The steps, in order, and what no step can be planned for.
    pub difference: Difference,
    /// A hash of all that was read of the lake, and of the steps.
    pub digest: String,
    alias: Ident,
    catalog: (Ident, Ident),
    is_protected: bool,
}

impl PlannedLake {
    /// What there is to do once a lake is made by this plan.
    ///
    /// # Errors
    ///
    /// When it could not be compared then, either.
    pub fn of_new_lake(declared: &Declared, plan: &AttachPlan) -> Result<Self, Error> {
        let catalog = plan.metadata().ok_or(Problem::NoMetadata)?;
        let main = Ident::new("main")?;
        let stored = StoredState { schemas: vec![main], ..StoredState::default() };
        let difference = declared.difference(&stored);
        let digest = ["new", &difference.digest()].concat();
        Ok(Self { difference, digest, alias: plan.alias().clone(), catalog, is_protected: declared.protect })
    }

    /// Fails where the plan is not the one that has this digest: the lake, or what is declared, has changed since.
    ///
    /// # Errors
    ///
    /// That is the error.
    pub fn check_digest(&self, digest: &str) -> Result<(), Error> {
        if self.digest == digest { Ok(()) } else { Err(Problem::OtherDigest.into()) }
    }

    /// Whether the lake has all that is declared.
    pub fn is_done(&self) -> bool {
        self.difference.steps.is_empty()
    }

    /// The statement of a step as a person reads it.
    pub fn sql_of(&self, step: &Step) -> String {
        step.shown_sql(&self.alias, &self.catalog)
    }

    /// Fails where the lake must not be changed in this way: something declared cannot be, or something is destroyed that
    /// is protected.
    ///
    /// # Errors
    ///
    /// That is the error.
    pub fn check(&self, allow_destructive: bool) -> Result<(), Error> {
        let wrong: Vec<_> = self.difference.notes.iter().filter(|note| note.is_error).collect();
        if !wrong.is_empty() {
            let wrong: Vec<_> = wrong.iter().map(|note| note.message.as_str()).collect();
            return Err(Problem::Notes(wrong.join("; ")).into());
        }
        let destroying = self.difference.steps.iter().filter(|step| step.destroys().is_some()).count();
        if destroying > 0 && self.is_protected && !allow_destructive {
            return Err(Problem::Protected(destroying).into());
        }
        Ok(())
    }
}

/// How far the steps of a plan were run.
#[derive(Debug)]
#[non_exhaustive]
pub struct Applied {
    /// The steps that are done.
    pub done: Vec<Step>,
    /// The first one that failed, with its error.
    pub failed: Option<FailedStep>,
    /// Those after it, which were not begun; and those of its transaction, which is rolled back.
    pub left: Vec<Step>,
}

/// A step that failed.
#[derive(Debug)]
#[non_exhaustive]
pub struct FailedStep {
    /// The step.
    pub step: Step,
    /// Why it failed.
    pub error: Error,
}

impl Store {
    /// Compares what is declared with what the lake has stored; it changes nothing.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store: metaxy_store_duckdb::Store = unreachable!();
    /// # let declared = ducklake_sql::Declared::default();
    /// let plan = store.plan_declared(&declared)?;
    /// for step in &plan.difference.steps {
    ///     println!("{step}\n    {}", plan.sql_of(step));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the catalog cannot be read.
    pub fn plan_declared(&self, declared: &Declared) -> Result<PlannedLake, Error> {
        let plan = self.plan();
        let catalog = self.catalog()?;
        let connection = self.connection();
        let stored = read_again(connection, || stored_state::read(connection, plan))?.ok_or(Problem::NoMetadata)?;
        let difference = declared.difference(&stored);
        let digest = [stored.digest(), difference.digest()].concat();
        Ok(PlannedLake { difference, digest, alias: plan.alias().clone(), catalog, is_protected: declared.protect })
    }

    /// Runs the steps of a plan that was made on this lake as it is now, and stops at the first that fails.
    ///
    /// Statements that make snapshots are one transaction; options are set one by one. Sessions that are attached
    /// elsewhere keep the options that they have read; so does this one, until it is opened again.
    ///
    /// # Errors
    ///
    /// When nothing was begun, see [`PlannedLake::check`].
    pub fn apply(&self, planned: &PlannedLake, allow_destructive: bool) -> Result<Applied, Error> {
        planned.check(allow_destructive)?;
        let steps = &planned.difference.steps;
        let (together, alone): (Vec<&Step>, Vec<&Step>) = steps.iter().partition(|step| step.is_transactional());
        let mut applied = Applied { done: Vec::new(), failed: None, left: Vec::new() };
        if !together.is_empty() {
            let mut failed = 0;
            let run = |connection: &Connection| {
                failed = 0;
                for step in &together {
                    connection.execute(step.to_sql(&planned.alias, &planned.catalog))?;
                    failed += 1;
                }
                Ok(())
            };
            match transaction_with(self.connection(), &message("apply what is declared"), run) {
                Ok(()) => applied.done.extend(together.iter().copied().cloned()),
                Err(error) => {
                    // A commit that fails is told of the last step.
                    let at = failed.min(together.len() - 1);
                    let others = together.iter().enumerate().filter(|(index, _)| *index != at).map(|(_, step)| *step);
                    applied.left = others.chain(alone).cloned().collect();
                    applied.failed = Some(FailedStep { step: together[at].clone(), error });
                    return Ok(applied);
                }
            }
        }
        let mut rest = alone.into_iter();
        for step in rest.by_ref() {
            match self.run_alone(step, planned) {
                Ok(()) => applied.done.push(step.clone()),
                Err(error) => {
                    applied.failed = Some(FailedStep { step: step.clone(), error });
                    break;
                }
            }
        }
        applied.left = rest.cloned().collect();
        Ok(applied)
    }

    /// Runs a step that is a transaction by itself.
    fn run_alone(&self, step: &Step, planned: &PlannedLake) -> Result<(), Error> {
        let sql = step.to_sql(&planned.alias, &planned.catalog);
        if step.changes_catalog() {
            // While the lake is the current database, SQLite would be locked against its own catalog.
            let other = self.connection().elsewhere()?;
            return alone(&other, |connection| connection.execute(sql.clone())).map(drop);
        }
        alone(self.connection(), |connection| connection.execute(sql.clone())).map(drop)
    }
}
