//! Changes of the configuration file that leave everything else in it as it is written, comments too.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use toml_edit::{Document, DocumentMut, Item, Table, TableLike, value};

use crate::error::Error;

/// The names that the table of a catalog has, the older one last.
const CATALOG: [&str; 2] = ["catalog", "metadata_backend"];

/// What belongs to the catalog of a lake, beside the catalog itself.
const ATTACH_OPTIONS: &str = "attach_options";

/// Keys of a file, each with the line that it is on.
type Places = Vec<(usize, String)>;

/// Where two stores have what they are to exchange.
#[derive(Debug)]
pub(crate) struct CatalogExchange {
    file: PathBuf,
    text: String,
    pub(crate) places: Places,
    edited: String,
}

impl CatalogExchange {
    /// Lets a store and the one that its lake was moved to have each other's catalog, with the options that it is attached by;
    /// and `migrate_from` the other way round.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or has not the catalogs of both: one may be in a file that this one extends, or in a
    /// variable.
    pub(crate) fn new(file: &Path, source: &str, target: &str) -> Result<Self, Error> {
        // A link stays one.
        let file = file.canonicalize().map_err(|error| Error::file("reading", file, error))?;
        let text = fs::read_to_string(&file).map_err(|error| Error::file("reading", &file, error))?;
        let is_shared = file.file_name().is_some_and(|name| name == "pyproject.toml");
        let (places, edited) = exchange(&text, is_shared, source, target)
            .map_err(|store| Error::CatalogElsewhere { file: file.display().to_string(), store: store.to_owned() })?;
        Ok(Self { file, text, places, edited })
    }

    /// Where the file is.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// Writes the file, as a whole or not at all.
    ///
    /// # Errors
    ///
    /// When it has changed since it was read, or cannot be written.
    pub(crate) fn write(&self) -> Result<(), Error> {
        let failed = |error: io::Error| Error::file("writing", &self.file, error);
        let now = fs::read_to_string(&self.file).map_err(|error| Error::file("reading", &self.file, error))?;
        if now != self.text {
            return Err(failed(io::Error::other("it has changed meanwhile")));
        }
        let mut new = NamedTempFile::new_in(self.file.parent().unwrap_or(Path::new("."))).map_err(failed)?;
        new.write_all(self.edited.as_bytes()).map_err(failed)?;
        let permissions = fs::metadata(&self.file).map_err(failed)?.permissions();
        new.as_file().set_permissions(permissions).map_err(failed)?;
        new.as_file().sync_all().map_err(failed)?;
        new.persist(&self.file).map(drop).map_err(|error| failed(error.error))
    }
}

/// The keys to exchange with their lines, and the edited text; or the store whose catalog is not in it.
fn exchange<'s>(text: &str, is_shared: bool, source: &'s str, target: &'s str) -> Result<(Places, String), &'s str> {
    let written = Document::parse(text).map_err(|_| source)?;
    let mut document: DocumentMut = text.parse().map_err(|_| source)?;
    let above: &[&str] = if is_shared { &["tool", "metaxy"] } else { &[] };
    let path_of = |store: &'s str| -> Vec<&str> { [above, &["stores", store, "config", "ducklake"]].concat() };

    let mut places = Vec::new();
    let mut moved: [Vec<(&str, Option<Item>)>; 2] = [Vec::new(), Vec::new()];
    for (store, moved) in [source, target].into_iter().zip(&mut moved) {
        let path = path_of(store);
        let lake = descend(written.as_item(), &path).and_then(Item::as_table_like).ok_or(store)?;
        let catalog = CATALOG.into_iter().find(|key| lake.contains_key(key)).ok_or(store)?;
        for key in [catalog, ATTACH_OPTIONS] {
            if let Some((key, item)) = lake.get_key_value(key) {
                let start = key.span().or(item.span()).unwrap_or_default().start;
                let line = text.get(..start).unwrap_or_default().matches('\n').count() + 1;
                places.push((line, [&path[above.len()..], &[key.get()]].concat().join(".")));
            }
        }
        let lake = descend_mut(document.as_item_mut(), &path).and_then(Item::as_table_like_mut).ok_or(store)?;
        for key in [catalog, ATTACH_OPTIONS] {
            // The place among the other keys stays.
            moved.push((key, lake.get_mut(key).map(std::mem::take)));
        }
    }
    let [of_source, of_target] = moved;
    for (store, own, other) in [(source, &of_source, &of_target), (target, &of_target, &of_source)] {
        let path = path_of(store);
        let lake = descend_mut(document.as_item_mut(), &path).and_then(Item::as_table_like_mut).ok_or(store)?;
        for ((key, _), (other_key, item)) in own.iter().zip(other) {
            if key != other_key {
                lake.remove(key);
            }
            match item {
                Some(item) => put(lake, other_key, item.clone()),
                None => drop(lake.remove(key)),
            }
        }
    }

    let lakes = [above, &["ext", "rust", "lake"]].concat();
    if let Some(lakes) = descend_mut(document.as_item_mut(), &lakes).and_then(Item::as_table_like_mut) {
        let mut is_empty = false;
        // Where the lake was before that, the old catalog has come from.
        let before = lakes.get(source).and_then(|lake| lake.get("migrate_from")).and_then(Item::as_str);
        let before = before.filter(|before| *before != target).map(str::to_owned);
        if let Some(lake) = lakes.get_mut(target).and_then(Item::as_table_like_mut) {
            match before {
                Some(before) => put(lake, "migrate_from", value(before)),
                None => drop(lake.remove("migrate_from")),
            }
            is_empty = lake.is_empty();
        }
        if is_empty {
            lakes.remove(target);
        }
        if let Some(lake) = lakes.get_mut(source).and_then(Item::as_table_like_mut) {
            lake.insert("migrate_from", value(target));
        } else {
            let mut lake = Table::new();
            lake.insert("migrate_from", value(target));
            lakes.insert(source, Item::Table(lake));
        }
    }
    Ok((places, document.to_string()))
}

/// Puts an item where one was, or at the end.
fn put(table: &mut dyn TableLike, key: &str, item: Item) {
    match table.get_mut(key) {
        Some(place) => *place = item,
        None => drop(table.insert(key, item)),
    }
}

fn descend<'i>(item: &'i Item, path: &[&str]) -> Option<&'i Item> {
    path.iter().try_fold(item, |item, key| item.get(*key))
}

fn descend_mut<'i>(item: &'i mut Item, path: &[&str]) -> Option<&'i mut Item> {
    path.iter().try_fold(item, |item, key| item.get_mut(*key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(before: &str, is_shared: bool, lines: &[usize], after: &str) {
        let (places, edited) = exchange(before, is_shared, "dev", "next").expect("both are in it");
        assert_eq!(places.iter().map(|(line, _)| *line).collect::<Vec<_>>(), lines, "{places:?}");
        assert_eq!(edited, after);
        // The way back leads to the same keys, some of them in another order.
        let (_, back) = exchange(&edited, is_shared, "next", "dev").expect("both are in it");
        let keys = |text: &str| {
            let mut keys: Vec<_> = text.lines().filter(|line| line.contains("type")).map(str::to_owned).collect();
            keys.sort_unstable();
            keys
        };
        assert_eq!(keys(&back), keys(before));
    }

    #[test]
    fn catalogs_change_places_and_comments_stay() {
        check(
            "# The lake.\n[stores.dev]\ntype = \"duckdb\" # of Metaxy\n\n[stores.dev.config.ducklake]\nalias = \"lake\"\n\
             catalog = { type = \"sqlite\", uri = \"sqlite:a\" } # a file\nattach_options = { busy_timeout = 9 }\n\
             storage = { type = \"local\", path = \"data\" }\n\n[stores.next]\ntype = \"duckdb\"\n\
             config.ducklake.catalog = { type = \"duckdb\", uri = \"duckdb:b\" }\n\
             config.ducklake.storage = { type = \"local\", path = \"data\" }\n\n[ext.rust.lake.next]\nmigrate_from = \"dev\"\n",
            false,
            &[7, 8, 13],
            "# The lake.\n[stores.dev]\ntype = \"duckdb\" # of Metaxy\n\n[stores.dev.config.ducklake]\nalias = \"lake\"\n\
             catalog = { type = \"duckdb\", uri = \"duckdb:b\" }\n\
             storage = { type = \"local\", path = \"data\" }\n\n[stores.next]\ntype = \"duckdb\"\n\
             config.ducklake.catalog = { type = \"sqlite\", uri = \"sqlite:a\" } # a file\n\
             config.ducklake.storage = { type = \"local\", path = \"data\" }\n\
             config.ducklake.attach_options = { busy_timeout = 9 }\n\n[ext.rust.lake.dev]\nmigrate_from = \"next\"\n",
        );
    }

    #[test]
    fn tables_of_their_own_change_places_too() {
        check(
            "[tool.metaxy.stores.dev.config.ducklake.metadata_backend]\ntype = \"sqlite\"\n\
             [tool.metaxy.stores.dev.config.ducklake.storage]\ntype = \"local\"\n\
             [tool.metaxy.stores.next.config.ducklake]\ncatalog.type = \"duckdb\"\nstorage.type = \"local\"\n\
             [tool.metaxy.ext.rust.lake]\nnext.migrate_from = \"dev\"\ndev.protect = true\n",
            true,
            &[1, 6],
            "[tool.metaxy.stores.dev.config.ducklake]\ncatalog.type = \"duckdb\"\n\
             [tool.metaxy.stores.next.config.ducklake.metadata_backend]\ntype = \"sqlite\"\n\
             [tool.metaxy.stores.dev.config.ducklake.storage]\ntype = \"local\"\n\
             [tool.metaxy.stores.next.config.ducklake]\nstorage.type = \"local\"\n\
             [tool.metaxy.ext.rust.lake]\ndev.protect = true\ndev.migrate_from = \"next\"\n",
        );
    }

    #[test]
    fn where_the_lake_was_before_stays_known() {
        let stores = "[stores.dev.config.ducklake]\ncatalog = 1\n[stores.next.config.ducklake]\ncatalog = 2\n";
        let before = "[ext.rust.lake]\ndev.migrate_from = \"first\"\nnext.migrate_from = \"dev\"\n";
        let after = "[ext.rust.lake]\ndev.migrate_from = \"next\"\nnext.migrate_from = \"first\"\n";
        let (_, edited) = exchange(&[stores, before].concat(), false, "dev", "next").expect("both are in it");
        assert!(edited.ends_with(after), "{edited}");
    }

    #[test]
    fn what_is_elsewhere_is_said() {
        let text = "[stores.dev.config.ducklake]\ncatalog = 1\n[stores.next]\ntype = \"duckdb\"\n";
        assert_eq!(exchange(text, false, "dev", "next").unwrap_err(), "next");
        assert_eq!(exchange(text, true, "dev", "next").unwrap_err(), "dev");
    }
}
