//! A diagram as SVG: one text without scripts and without anything from elsewhere, for light and dark pages.
//!
//! Where boxes and arrows go is found by the crate `layout-rs`; what they look like is said here, by classes.

use std::fmt::Write as _;

use layout::core::base::Orientation;
use layout::core::format::{ClipHandle, RenderBackend};
use layout::core::geometry::Point;
use layout::core::style::StyleAttr;
use layout::std_shapes::shapes::{Arrow, Element, ShapeKind};
use layout::topo::layout::VisualGraph;

use super::{Diagram, DiagramOptions, Line, Presence};

/// The width of a character, in pixels: what browsers take for a monospaced font of 13 pixels, and a little more.
const CHARACTER: f64 = 8.0;
/// The height of a line, in pixels.
const LINE: f64 = 18.0;
/// What is left free around the text of a box, and around the whole.
const PADDING: f64 = 10.0;

const STYLE: &str = "\
svg.features{--text:#1f2328;--dim:#656d76;--box:#f6f8fa;--line:#8c959f;--added:#1a7f37;--removed:#cf222e;--changed:#9a6700;\
font:13px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace}
@media(prefers-color-scheme:dark){svg.features{--text:#e6edf3;--dim:#9198a1;--box:#161b22;--line:#6e7681;--added:#3fb950;\
--removed:#f85149;--changed:#d29922}}
svg.features text{fill:var(--dim)}
svg.features text.title{fill:var(--text);font-weight:600}
svg.features rect{fill:var(--box);stroke:var(--line)}
svg.features path{fill:none;stroke:var(--line);stroke-width:1.5}
svg.features marker path{fill:var(--line);stroke:none}
svg.features .added text.added{fill:var(--added)}svg.features .added rect{stroke:var(--added);stroke-width:2}
svg.features .removed text.removed{fill:var(--removed)}svg.features .removed rect{stroke:var(--removed);stroke-width:2;stroke-dasharray:5 4}
svg.features .changed rect{stroke:var(--changed);stroke-width:2}
svg.features text.added{fill:var(--added)}svg.features text.removed{fill:var(--removed)}svg.features text.changed{fill:var(--changed)}
svg.features path.added{stroke:var(--added);stroke-width:2.5}svg.features path.removed{stroke:var(--removed);stroke-dasharray:5 4}
";

impl Diagram {
    /// The diagram as an SVG image, which can stand in a page of HTML as it is.
    pub fn to_svg(&self, options: DiagramOptions) -> String {
        let orientation = if options.left_to_right { Orientation::LeftToRight } else { Orientation::TopToBottom };
        let mut graph = VisualGraph::new(orientation);
        let mut canvas = Canvas::default();
        let mut handles = Vec::with_capacity(self.nodes.len());
        for (at, node) in self.nodes.iter().enumerate() {
            let lines = self.lines(node, options);
            let widest = lines.iter().map(|line| line.text.chars().count()).max().unwrap_or_default();
            let size = Point::new(pixels(widest) * CHARACTER + 2.0 * PADDING, pixels(lines.len()) * LINE + PADDING);
            canvas.boxes.push(NodeBox { lines, change: Self::change(node), size });
            // Its text is its number, by which the canvas finds it again.
            let shape = ShapeKind::new_box(&at.to_string());
            handles.push(graph.add_node(Element::create(shape, StyleAttr::simple(), orientation, size)));
        }
        for edge in &self.edges {
            let class = match edge.presence {
                Presence::Both => "",
                Presence::NewOnly => "added",
                Presence::OldOnly => "removed",
            };
            graph.add_edge(Arrow::simple_with_properties("", class), handles[edge.from], handles[edge.to]);
        }
        // A graph without features has no place to be found.
        if !handles.is_empty() {
            graph.do_it(false, false, false, &mut canvas);
        }
        canvas.finish(self.title.as_deref())
    }
}

/// A count as a measure; nobody draws more than this.
fn pixels(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}

/// A feature, as it is to be drawn.
struct NodeBox {
    lines: Vec<Line>,
    change: &'static str,
    size: Point,
}

/// Takes places from the layout, and writes SVG there.
#[derive(Default)]
struct Canvas {
    boxes: Vec<NodeBox>,
    arrows: String,
    drawn: String,
    /// The lower right corner of all that was drawn.
    width: f64,
    height: f64,
}

impl Canvas {
    fn grow(&mut self, x: f64, y: f64) {
        (self.width, self.height) = (self.width.max(x), self.height.max(y));
    }

    fn finish(self, title: Option<&str>) -> String {
        let of_title = title.map_or(0.0, |title| pixels(title.chars().count()) * CHARACTER + PADDING);
        let above = if title.is_some() { LINE + PADDING } else { 0.0 };
        let (width, height) = (self.width.max(of_title) + PADDING, self.height + PADDING + above);
        let name = escape_xml(title.unwrap_or("graph of features"));
        let title = title.map(|_| {
            let y = PADDING + LINE * 0.75;
            format!("<text class=\"title\" x=\"{PADDING:.1}\" y=\"{y:.1}\">{name}</text>\n<g transform=\"translate(0 {above:.1})\">\n")
        });
        let end = if title.is_some() { "</g>\n" } else { "" };
        let size = format!("viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\"");
        let marker = "<defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" \
                      markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\"/></marker></defs>";
        [
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"features\" role=\"img\" aria-label=\"",
            &name,
            "\" ",
            &size,
            ">\n<style>\n",
            STYLE,
            "</style>\n",
            marker,
            "\n",
            &title.unwrap_or_default(),
            &self.arrows,
            &self.drawn,
            end,
            "</svg>\n",
        ]
        .concat()
    }
}

impl RenderBackend for Canvas {
    /// A box is drawn with its text, whose number says which it is.
    fn draw_rect(&mut self, _: Point, _: Point, _: &StyleAttr, _: Option<String>, _: Option<ClipHandle>) {}

    fn draw_text(&mut self, center: Point, text: &str, _: &StyleAttr) {
        let Some(of) = text.parse::<usize>().ok().and_then(|at| self.boxes.get(at)) else { return };
        let (x, y) = (center.x - of.size.x / 2.0, center.y - of.size.y / 2.0);
        let (width, height) = (of.size.x, of.size.y);
        let mut drawn = format!(
            "<g class=\"{}\"><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"6\"/>\n",
            of.change
        );
        for (at, line) in of.lines.iter().enumerate() {
            let class = if line.is_title { ["title ", line.change].concat() } else { line.change.to_owned() };
            let (x, y) = (x + PADDING, y + PADDING / 2.0 + pixels(at) * LINE + LINE * 0.75);
            let _ =
                writeln!(drawn, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escape_xml(&line.text));
        }
        drawn.push_str("</g>\n");
        self.drawn.push_str(&drawn);
        self.grow(x + width, y + height);
    }

    fn draw_arrow(
        &mut self,
        path: &[(Point, Point)],
        _: bool,
        _: (bool, bool),
        _: &StyleAttr,
        class: Option<String>,
        _: &str,
    ) {
        // The first pair is where it begins and where it goes from there; the others are from where it comes, and whereto.
        let [first, second, rest @ ..] = path else { return };
        let pair = |(one, two): &(Point, Point)| format!("{:.1} {:.1} {:.1} {:.1}", one.x, one.y, two.x, two.y);
        let mut line = format!("M{:.1} {:.1}C{:.1} {:.1} {}", first.0.x, first.0.y, first.1.x, first.1.y, pair(second));
        for next in rest {
            line.push_str(&["S", &pair(next)].concat());
        }
        let class = class.unwrap_or_default();
        // Writing to a text cannot fail.
        let _ = writeln!(self.arrows, "<path class=\"{class}\" d=\"{line}\" marker-end=\"url(#arrow)\"/>");
        for (one, two) in path {
            self.grow(one.x, one.y);
            self.grow(two.x, two.y);
        }
    }

    fn draw_line(&mut self, _: Point, _: Point, _: &StyleAttr, _: Option<String>) {}

    fn draw_circle(&mut self, _: Point, _: Point, _: &StyleAttr, _: Option<String>) {}

    fn create_clip(&mut self, _: Point, _: Point, _: usize) -> ClipHandle {
        0
    }
}

/// A text as XML and HTML have it, between tags or in an attribute.
///
/// ```
/// assert_eq!(metaxy_feature::escape_xml("a < \"b\""), "a &lt; &quot;b&quot;");
/// ```
pub fn escape_xml(text: &str) -> String {
    text.chars()
        .map(|char| match char {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '"' => "&quot;".to_owned(),
            // XML has none of them.
            char if char.is_control() => " ".to_owned(),
            char => char.to_string(),
        })
        .collect()
}
