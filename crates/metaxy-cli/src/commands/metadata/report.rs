//! The status of features as one page of HTML: their graph, how each stands, and how large and how old the lake is.
//!
//! The page has neither scripts nor anything from elsewhere, so it can be sent as it is. Plots are SVG.

use std::fmt::Write as _;

use metaxy_feature::{Diagram, DiagramOptions, FeatureKey, Note, escape_xml};
use metaxy_store_duckdb::{LakeSize, LakeSnapshot, UpdateCounts};

const PAGE: &str = include_str!("report.html");

/// What is on the page.
pub(super) struct Report<'r> {
    pub(super) project: &'r str,
    pub(super) store: &'r str,
    /// When it was made, in UTC.
    pub(super) time: String,
    pub(super) features: Vec<Feature<'r>>,
    pub(super) graph: Diagram,
    /// How large the lake is, and its snapshots, the latest first; `None` where there is no
    /// catalog to read.
    pub(super) lake: Option<(LakeSize, Vec<LakeSnapshot>)>,
}

/// How a feature stands.
pub(super) struct Feature<'r> {
    pub(super) key: &'r FeatureKey,
    /// The word for it, as Python Metaxy has it.
    pub(super) word: &'static str,
    pub(super) version: Option<&'r str>,
    pub(super) rows: Option<usize>,
    pub(super) update: Option<UpdateCounts>,
    pub(super) error: Option<String>,
}

impl Feature<'_> {
    /// What there is to do, for the graph.
    fn note(&self) -> Note {
        let rows = match self.rows {
            Some(1) => "1 row".to_owned(),
            rows => format!("{} rows", rows.unwrap_or_default()),
        };
        let update = self.update.unwrap_or_default();
        let counts = [(update.new, "missing"), (update.stale, "stale"), (update.orphaned, "orphaned")];
        let counts = counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
        let counts: Vec<String> = counts.collect();
        let text = match (&self.error, counts.as_slice()) {
            (Some(_), _) => "error".to_owned(),
            (None, []) => rows,
            (None, counts) => [&rows, ", ", &counts.join(", ")].concat(),
        };
        Note { text, stands_out: !matches!(self.word, "up_to_date" | "root_feature") }
    }
}

impl Report<'_> {
    /// The page.
    pub(super) fn html(mut self) -> String {
        for feature in &self.features {
            self.graph.note(feature.key, feature.note());
        }
        let mut body = String::new();
        let mut section = |title: &str, content: &str| {
            body.push_str(&["<h2>", title, "</h2>\n<div class=\"wide\">\n", content, "</div>\n"].concat());
        };
        section("Features", &self.table());
        section("Graph", &self.graph.to_svg(DiagramOptions::new()));
        match &self.lake {
            Some((size, snapshots)) => {
                section("Sizes", &sizes(size));
                section("History", &history(snapshots, size.snapshots));
            }
            None => section("Lake", "<p>There is no catalog of a lake to read, so neither sizes nor history.</p>\n"),
        }
        let title = format!("Status of {}", escape_xml(self.project));
        let store = escape_xml(self.store);
        let to_do = self.features.iter().filter(|feature| feature.note().stands_out).count();
        let all = self.features.len();
        let about =
            format!("{} UTC · store {store} · {to_do} of {all} features are not up to date", escape_xml(&self.time));
        filled(PAGE, &[("{title}", &title), ("{about}", &about), ("{body}", &body)])
    }

    fn table(&self) -> String {
        let mut text = String::from(
            "<table>\n<tr><th>Feature</th><th>Status</th><th class=\"n\">Materialized</th><th class=\"n\">Missing</th>\
             <th class=\"n\">Stale</th><th class=\"n\">Orphaned</th><th></th></tr>\n",
        );
        for feature in &self.features {
            let count = |count: Option<usize>| count.map_or("–".to_owned(), |count| count.to_string());
            let update = feature.update;
            let counts = [
                count(feature.rows),
                count(update.map(|update| update.new)),
                count(update.map(|update| update.stale)),
                count(update.map(|update| update.orphaned)),
            ];
            let counts = counts.map(|count| ["<td class=\"n\">", &count, "</td>"].concat()).concat();
            let detail = match &feature.error {
                Some(error) => escape_xml(error),
                None => share(feature.rows.unwrap_or_default(), update.unwrap_or_default()),
            };
            let version = feature.version.map(|version| [" title=\"", &escape_xml(version), "\""].concat());
            // Writing to a text cannot fail.
            let _ = writeln!(
                text,
                "<tr><td class=\"key\"{}>{}</td><td class=\"word {}\">{}</td>{counts}<td class=\"bar\">{detail}</td></tr>",
                version.unwrap_or_default(),
                escape_xml(feature.key.as_str()),
                feature.word,
                feature.word.replace('_', " "),
            );
        }
        text.push_str("</table>\n<p class=\"key-of\">");
        for (colour, what) in [("done", "up to date"), ("new", "missing"), ("stale", "stale"), ("gone", "orphaned")] {
            let _ = write!(text, "<span style=\"background:var(--{colour})\"></span>{what}");
        }
        text + "</p>\n"
    }
}

/// A text with values in their places; what stands in a value is no place.
fn filled(text: &str, values: &[(&str, &str)]) -> String {
    let first = values.iter().filter_map(|(place, value)| Some((text.find(place)?, *place, *value))).min();
    match first {
        Some((at, place, value)) => [&text[..at], value, &filled(&text[at + place.len()..], values)].concat(),
        None => text.to_owned(),
    }
}

/// Which part of a feature's rows is up to date, missing, stale and orphaned, as a bar.
fn share(rows: usize, update: UpdateCounts) -> String {
    let done = rows.saturating_sub(update.stale).saturating_sub(update.orphaned);
    let parts = [(done, "done"), (update.new, "new"), (update.stale, "stale"), (update.orphaned, "gone")];
    let all: f64 = parts.iter().map(|(count, _)| measure(*count)).sum();
    if all == 0.0 {
        return String::new();
    }
    let mut text = String::from("<svg class=\"plot\" viewBox=\"0 0 200 12\" preserveAspectRatio=\"none\">");
    let mut x = 0.0;
    for (count, class) in parts {
        let width = measure(count) / all * 200.0;
        // Writing to a text cannot fail.
        let _ = write!(text, "<rect class=\"{class}\" x=\"{x:.2}\" width=\"{width:.2}\" height=\"12\"/>");
        x += width;
    }
    text + "</svg>"
}

/// The tables of the lake, each with a bar for its bytes.
fn sizes(size: &LakeSize) -> String {
    let most = size.tables.iter().map(|table| bytes_of(table.bytes)).fold(0.0, f64::max);
    let mut text = String::from(
        "<table>\n<tr><th>Table</th><th class=\"n\">Files</th><th class=\"n\">Bytes</th><th class=\"n\">Rows in the catalog</th>\
         <th></th></tr>\n",
    );
    for table in &size.tables {
        let width = if most > 0.0 { bytes_of(table.bytes) / most * 200.0 } else { 0.0 };
        // Writing to a text cannot fail.
        let _ = writeln!(
            text,
            "<tr><td class=\"key\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"bar\">\
             <svg class=\"plot\" viewBox=\"0 0 200 12\" preserveAspectRatio=\"none\"><rect class=\"new\" width=\"{width:.2}\" \
             height=\"12\"/></svg></td></tr>",
            escape_xml(&table.name.to_string()),
            table.files,
            in_words(table.bytes),
            table.inlined_rows,
        );
    }
    let _ = write!(text, "</table>\n<p>{} files wait for being deleted.</p>\n", size.unused_files);
    text
}

/// The rows that snapshots have added, above a line, and deleted, below it; the oldest to the left.
fn history(snapshots: &[LakeSnapshot], all: i64) -> String {
    const WIDTH: f64 = 900.0;
    const HEIGHT: f64 = 90.0;
    let (Some(latest), Some(oldest)) = (snapshots.first(), snapshots.last()) else {
        return "<p>The lake has no snapshot.</p>\n".to_owned();
    };
    let most = snapshots.iter().map(|one| one.rows_added.max(one.rows_deleted)).max().unwrap_or_default();
    let scale = |rows: i64| if most > 0 { bytes_of(rows) / bytes_of(most) * HEIGHT } else { 0.0 };
    let step = WIDTH / measure(snapshots.len());
    let has_deleted = snapshots.iter().any(|one| one.rows_deleted > 0);
    let bottom = if has_deleted { 2.0 * HEIGHT } else { HEIGHT };
    let mut text = format!(
        "<svg class=\"plot\" viewBox=\"0 -15 {WIDTH} {}\" role=\"img\" aria-label=\"rows by snapshot\">\n",
        bottom + 35.0
    );
    for (at, snapshot) in snapshots.iter().rev().enumerate() {
        let (added, deleted) = (scale(snapshot.rows_added), scale(snapshot.rows_deleted));
        let (x, width) = (step * measure(at), (step * 0.8).min(40.0));
        let what = snapshot.changes.join(", ");
        // Writing to a text cannot fail.
        let _ = writeln!(
            text,
            "<g><title>snapshot {}, {} UTC: {} rows added, {} deleted; {}</title>\
             <rect class=\"done\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{added:.1}\"/>\
             <rect class=\"gone\" x=\"{x:.1}\" y=\"{HEIGHT}\" width=\"{width:.1}\" height=\"{deleted:.1}\"/></g>",
            snapshot.id,
            escape_xml(&snapshot.time),
            snapshot.rows_added,
            snapshot.rows_deleted,
            escape_xml(&what),
            HEIGHT - added,
        );
    }
    let _ = write!(
        text,
        "<path class=\"axis\" d=\"M0 {HEIGHT}H{WIDTH}\"/><text x=\"0\" y=\"-4\">{most} rows</text>\
         <text x=\"0\" y=\"{y}\">snapshot {}, {} UTC</text><text x=\"{WIDTH}\" y=\"{y}\" text-anchor=\"end\">snapshot {}, {} UTC</text>\
         </svg>\n<p>Rows that were added (above) and deleted (below), by the last {} of {all} snapshots.</p>\n",
        oldest.id,
        escape_xml(&oldest.time),
        latest.id,
        escape_xml(&latest.time),
        snapshots.len(),
        y = bottom + 15.0,
    );
    text
}

/// A count as a measure; more than a picture can tell apart is all the same.
fn measure(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}

/// The same for bytes and rows, in steps of 256 where there are many.
fn bytes_of(count: i64) -> f64 {
    match u32::try_from(count) {
        Ok(count) => f64::from(count),
        Err(_) => u32::try_from(count.max(0) / 256).map_or(f64::from(u32::MAX), f64::from) * 256.0,
    }
}

/// Bytes as a person reads them.
fn in_words(bytes: i64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut size = bytes_of(bytes);
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < units.len() {
        size /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{size:.1} {}", units[unit]) }
}
