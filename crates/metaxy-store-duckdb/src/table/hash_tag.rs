//! The tag of a table: how its rows are hashed, kept in the comment of the table.

use std::fmt;

/// What the comment of a tagged table begins with.
const COMMENT: &str = "metaxy hash: ";

/// What stands in a tag between the algorithm and the length.
const CUT_TO: &str = " cut to ";

/// How the rows of a table are hashed, as in `xxhash32 cut to 8`; Python Metaxy reads no comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HashTag(String);

impl HashTag {
    /// The tag of an algorithm and the length that its hashes are cut to.
    pub(crate) fn new(algorithm: &str, length: usize) -> Self {
        Self([algorithm, CUT_TO, &length.to_string()].concat())
    }

    /// The tag that the comment of a table has, if it is one of ours.
    pub(crate) fn from_comment(comment: &str) -> Option<Self> {
        comment.strip_prefix(COMMENT).map(|tag| Self(tag.to_owned()))
    }

    /// The comment for a table.
    pub(super) fn to_comment(&self) -> String {
        [COMMENT, &self.0].concat()
    }

    /// The length that hashes are cut to; `None` if the tag was written by hand and has none.
    pub(crate) fn length(&self) -> Option<usize> {
        self.0.rsplit_once(CUT_TO)?.1.parse().ok()
    }
}

impl fmt::Display for HashTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
