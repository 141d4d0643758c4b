//! Writing the rows of a file.

use metaxy_feature::FeatureKey;

use super::reader::Reader;
use super::{FileFormat, InputFile, InputRows};
use crate::engine::Error;
use crate::features::Features;
use crate::ops::WriteOptions;
use crate::table::StagingTable;

impl Features<'_> {
    /// Writes the rows of a file, as [`write`](Self::write) does. The number of rows.
    ///
    /// Where each of its columns has a type that the table takes as it is, the engine reads them with all its threads, and
    /// they do not become Arrow on the way.
    ///
    /// ```no_run
    /// use metaxy_store_duckdb::{Features, InputFile, InputOptions, WriteOptions};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let features: Features<'_> = unreachable!();
    /// let file = InputFile::open("videos.parquet", &InputOptions::new())?;
    /// println!("{} rows", features.write_file(&"video".parse()?, &file, &WriteOptions::new())?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`InputFile::rows`] and [`write`](Self::write).
    pub fn write_file(&self, key: &FeatureKey, file: &InputFile, options: &WriteOptions) -> Result<usize, Error> {
        let has_types = file.format == FileFormat::Parquet;
        self.write_staged(key, options, has_types, |connection, definition| {
            let mut reader = Reader::new(file, connection, definition)?;
            let query = reader.query(self)?;
            match StagingTable::fill_by_query(connection, definition, &query) {
                Ok(Some(staged)) => return Ok(staged),
                Ok(None) => {}
                // Whether the file or the table is to blame is known where a row is read before it is put there.
                Err(error) if error.is_query() => tracing::debug!(%error, "the file is read row by row"),
                Err(error) => return Err(error),
            }
            let files = connection.for_files()?;
            let rows = files.query(query).map_err(|error| reader.failed(&error))?;
            StagingTable::fill(connection, definition, InputRows::new(file, reader.path.as_str().to_owned(), rows))
        })
    }
}
