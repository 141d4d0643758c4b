//! Files that DuckLake cannot remove for good while a transaction is committed.
//!
//! A local file has a second link, from which it is restored. One in a storage is covered by a secret for its path alone
//! whose endpoint does not exist: DuckLake, which looks for the file before it removes it, does not find it. Where the
//! transaction does not see such a secret, no request of the instance reaches a storage until the commit is over.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ducklake_sql::{Ident, StringLiteral, bind, list, sql};

use super::connection::Connection;
use super::error::Error;

/// How old a second link is that no transaction holds any more.
const OLD: Duration = Duration::from_hours(24);

/// The files of one transaction.
pub(super) struct HeldFiles<'c> {
    local: Vec<LocalFile>,
    remote: Vec<StringLiteral>,
    detour: Option<Detour<'c>>,
    /// How many local files could not be held.
    missed: usize,
}

struct LocalFile {
    path: PathBuf,
    held: Held,
}

enum Held {
    /// A second link to the file.
    Link(PathBuf),
    /// The opened file, where the file system has no links.
    Handle(File),
}

/// What keeps DuckLake from files of a storage, until it is dropped.
struct Detour<'c> {
    connection: &'c Connection,
    secret: Ident,
    /// Whether all requests of the instance lead nowhere, not only those for these files.
    of_all: bool,
}

impl Drop for Detour<'_> {
    fn drop(&mut self) {
        let state = self.connection.shared_state();
        let mut state = state.lock();
        state.http_retries.give_back(|before| set_http_retries(self.connection, before.parse().unwrap_or(3)));
        if self.of_all {
            state.http_proxy.give_back(|before| {
                drop(self.connection.execute(sql!("SET GLOBAL http_proxy = {before}", before = bind(before))));
            });
        }
        drop(self.connection.execute(sql!("DROP TEMPORARY SECRET {name}", name = self.secret)));
    }
}

impl<'c> HeldFiles<'c> {
    /// Holds files that were written in a transaction that has not been committed.
    ///
    /// Statements about the instance run on the first connection, and the transaction is that of the second one.
    pub(super) fn hold(
        connection: &'c Connection,
        writer: &Connection,
        files: Vec<String>,
        token: &str,
    ) -> Result<Self, Error> {
        let (remote, local): (Vec<_>, Vec<_>) = files.into_iter().partition(|path| path.contains("://"));
        let suffix: String = token.chars().filter(char::is_ascii_alphanumeric).collect();
        if !std::mem::replace(&mut connection.shared_state().lock().has_removed_links, true) {
            remove_old_links(&local);
        }
        let count = local.len();
        let local: Vec<_> = local.into_iter().filter_map(|path| LocalFile::hold(path.into(), &suffix)).collect();
        let missed = count - local.len();
        let remote: Vec<StringLiteral> = remote.into_iter().filter_map(|path| StringLiteral::new(path).ok()).collect();
        let detour = if remote.is_empty() { None } else { Some(Detour::make(connection, writer, &remote, &suffix)?) };
        Ok(Self { local, remote, detour, missed })
    }

    /// Lets them go after the commit.
    pub(super) fn release(self) {
        for file in self.local {
            if let Held::Link(link) = file.held {
                drop(fs::remove_file(link));
            }
        }
    }

    /// Whether DuckLake can remove none of them for good.
    pub(super) fn are_all(&self) -> bool {
        // What is neither S3 nor speaks its protocol takes no secret of S3, and has a proxy of its own.
        let is_azure =
            |path: &StringLiteral| ["az:", "azure:", "abfs"].iter().any(|scheme| path.as_str().starts_with(scheme));
        self.missed == 0 && !self.remote.iter().any(is_azure)
    }

    /// Brings back those that DuckLake has removed. They are no more held then.
    pub(super) fn restore(self) -> Self {
        for file in &self.local {
            if let Err(error) = file.restore() {
                tracing::warn!(path = %file.path.display(), %error, "a file of a transaction cannot be restored");
            }
        }
        Self { detour: None, ..self }
    }

    /// Removes the files of a transaction that is not stored.
    pub(super) fn remove(self, connection: &Connection) {
        for file in self.local {
            drop(fs::remove_file(&file.path));
            if let Held::Link(link) = file.held {
                drop(fs::remove_file(link));
            }
        }
        drop(self.detour);
        if !self.remote.is_empty()
            && let Err(error) = remove_remote(connection, &self.remote)
        {
            tracing::warn!(%error, "files of a transaction that is not stored are left in the storage");
        }
    }
}

impl<'c> Detour<'c> {
    fn make(
        connection: &'c Connection,
        writer: &Connection,
        files: &[StringLiteral],
        suffix: &str,
    ) -> Result<Self, Error> {
        let name = ["metaxy_held_", suffix].concat();
        let secret = Ident::new(name.as_str())?;
        connection.execute(sql!(
            "CREATE TEMPORARY SECRET {secret} (
                 TYPE s3, ENDPOINT '127.0.0.1:0', URL_STYLE 'path', USE_SSL false, SCOPE [{files}]
             )",
            secret,
            files = list(files),
        ))?;
        let state = connection.shared_state();
        let mut state = state.lock();
        // Otherwise each look for such a file would take half a second.
        state.http_retries.take(
            || connection.text(&sql!("SELECT CAST(current_setting('http_retries') AS VARCHAR)")),
            || {
                set_http_retries(connection, 0);
                Ok(())
            },
        )?;
        drop(state);
        let mut detour = Self { connection, secret, of_all: false };
        // A transaction may see the secrets of an earlier time: DuckDB takes those of its first look at the system's
        // catalog.
        let is_seen = files.iter().try_fold(true, |is_seen, file| {
            let found = writer.text(&sql!("SELECT name FROM which_secret({file}, 's3')", file))?;
            Ok::<_, Error>(is_seen && found.as_deref() == Some(name.as_str()))
        })?;
        if !is_seen {
            let state = connection.shared_state();
            state.lock().http_proxy.take(
                || connection.text(&sql!("SELECT current_setting('http_proxy')")),
                || connection.execute("SET GLOBAL http_proxy = '127.0.0.1:0'").map(drop),
            )?;
            detour.of_all = true;
        }
        Ok(detour)
    }
}

fn set_http_retries(connection: &Connection, retries: u64) {
    // A setting that stays as it is makes a failure slower, and nothing else.
    drop(connection.execute(sql!("SET GLOBAL http_retries = {retries}", retries)));
}

impl LocalFile {
    /// `None` if the file is not there, or can neither be linked nor opened.
    fn hold(path: PathBuf, suffix: &str) -> Option<Self> {
        let mut link = path.clone().into_os_string();
        link.push(".");
        link.push(suffix);
        let link = PathBuf::from(link);
        let held = match fs::hard_link(&path, &link) {
            Ok(()) => Held::Link(link),
            Err(_) => Held::Handle(File::open(&path).ok()?),
        };
        Some(Self { path, held })
    }

    fn restore(&self) -> io::Result<()> {
        match &self.held {
            // Of two links to one file, a rename leaves both.
            Held::Link(link) if self.path.exists() => fs::remove_file(link),
            Held::Link(link) => fs::rename(link, &self.path),
            Held::Handle(_) if self.path.exists() => Ok(()),
            Held::Handle(file) => copy(file, &self.path),
        }
    }
}

/// A second link to a file that is not there: a program was killed while it committed.
pub(crate) fn link_to(path: &Path) -> Option<PathBuf> {
    links_in(path.parent()?).into_iter().find(|link| file_of(link).is_some_and(|file| file == path))
}

/// The second links to files in a folder of this machine.
fn links_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| file_of(path).is_some()).collect()
}

/// The file that this is a second link to, by its name.
pub(crate) fn file_of(link: &Path) -> Option<PathBuf> {
    let end = link.extension()?.to_str()?.strip_prefix("metaxy")?;
    let is_token = end.len() == 32 && end.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_token.then(|| link.with_extension(""))
}

/// Removes second links that a program has left which was killed while it committed, in the folders of these files. No
/// commit takes as long as they are old.
fn remove_old_links(files: &[String]) {
    let folders: BTreeSet<&Path> = files.iter().filter_map(|file| Path::new(file).parent()).collect();
    for link in folders.into_iter().flat_map(links_in) {
        let is_second = file_of(&link).is_some_and(|file| is_same_file(&file, &link));
        if is_second && is_older(&link, OLD) {
            drop(fs::remove_file(&link));
        }
    }
}

#[cfg(unix)]
fn is_same_file(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let id = |path: &Path| fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino())).ok();
    id(one).is_some_and(|found| id(other) == Some(found))
}

#[cfg(not(unix))]
fn is_same_file(one: &Path, other: &Path) -> bool {
    matches!((fs::read(one), fs::read(other)), (Ok(one), Ok(other)) if one == other)
}

fn is_older(path: &Path, age: Duration) -> bool {
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified());
    modified.is_ok_and(|modified| modified.elapsed().is_ok_and(|elapsed| elapsed > age))
}

/// Writes an opened file again, so that nobody sees a part of it.
fn copy(mut file: &File, path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    io::Seek::rewind(&mut file)?;
    io::copy(&mut file, &mut new)?;
    new.as_file().sync_all()?;
    new.persist(path).map(drop).map_err(|error| error.error)
}

/// Removes files of a storage, to which DuckDB itself has no statement: they are scheduled for DuckLake to remove, at a
/// time before every other one, and it is told to remove all up to that time.
pub(super) fn remove_remote(connection: &Connection, files: &[StringLiteral]) -> Result<(), Error> {
    let plan = connection.plan();
    let Some((database, schema)) = plan.metadata() else { return Ok(()) };
    let other = connection.elsewhere()?.uninterrupted();
    // Far beyond those of the files that DuckLake knows.
    let first = 1_u64 << 62 | u64::from(std::process::id()) << 24;
    let rows =
        list((first..).zip(files).map(|(id, path)| sql!("({id}, {path}, false, TIMESTAMPTZ 'epoch')", id, path)));
    other.execute(sql!(
        "INSERT INTO {database}.{schema}.ducklake_files_scheduled_for_deletion VALUES {rows}",
        database,
        schema,
        rows,
    ))?;
    other.execute(sql!(
        "CALL ducklake_cleanup_old_files({lake}, older_than => TIMESTAMPTZ '1971-01-01')",
        lake = bind(plan.alias().as_str()),
    ))?;
    Ok(())
}
