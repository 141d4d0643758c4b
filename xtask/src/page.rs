//! The page of benchmarks, parts of which benchmarks write.

use std::fs;

use crate::error::{Context, Error, Result};
use crate::repo::Repo;
use crate::shell::say;

const PAGE: &str = "docs/benchmarks.md";

/// Puts a text behind a mark, in place of what is there up to the next heading of the second level.
///
/// # Errors
///
/// When the page cannot be read or written, or has no such mark.
pub(crate) fn write(repo: &Repo, mark: &str, text: &str) -> Result<()> {
    let page = repo.path(PAGE);
    let old = fs::read_to_string(&page).context(|| format!("cannot read `{PAGE}`"))?;
    let new = replaced(&old, mark, text).ok_or_else(|| Error::new(format!("`{PAGE}` has no line `{mark}`")))?;
    fs::write(&page, new).context(|| format!("cannot write `{PAGE}`"))?;
    say(format_args!("bench: wrote {PAGE}"));
    Ok(())
}

fn replaced(page: &str, mark: &str, text: &str) -> Option<String> {
    let (kept, old) = page.split_once(mark)?;
    let rest = old.find("\n## ").map_or("", |at| &old[at..]);
    Some([kept, mark, "\n", text, rest].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_belongs_to_a_mark_is_replaced() {
        let page = "# Page\n<!-- a -->\nold\n\n### Old\n\n## Other\n<!-- b -->\nold\n";
        let new = replaced(page, "<!-- a -->", "new\n").expect("a mark");
        assert_eq!(new, "# Page\n<!-- a -->\nnew\n\n## Other\n<!-- b -->\nold\n");
        let new = replaced(&new, "<!-- b -->", "new\n").expect("a mark");
        assert_eq!(new, "# Page\n<!-- a -->\nnew\n\n## Other\n<!-- b -->\nnew\n");
        assert_eq!(replaced(page, "<!-- c -->", ""), None);
    }
}
