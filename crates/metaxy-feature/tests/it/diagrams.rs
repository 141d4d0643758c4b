//! Graphs as pictures, and what has changed between two.

use metaxy_feature::{Diagram, DiagramOptions, FeatureDefinition, FeatureGraph, Note, Truncation};

const OLD: &str = r#"
[[feature]]
key = "raw"
id_columns = ["id"]
fields = ["audio", "frames"]

[[feature]]
key = "crop"
id_columns = ["id"]
deps = ["raw"]

[[feature]]
key = "faces"
id_columns = ["id"]
deps = ["crop", "raw"]

[[feature]]
key = "gone"
id_columns = ["id"]
deps = ["crop"]
"#;

const NEW: &str = r#"
[[feature]]
key = "raw"
id_columns = ["id"]
fields = ["audio", "frames", "text"]

[[feature]]
key = "crop"
id_columns = ["id"]
fields = [{ key = "default", code_version = "2", deps = [{ feature = "raw", fields = ["frames"] }] }]
deps = ["raw"]

[[feature]]
key = "faces"
id_columns = ["id"]
deps = ["crop"]

[[feature]]
key = "new"
id_columns = ["id"]
"#;

fn graph(text: &str) -> FeatureGraph {
    let project = "demo".parse().expect("a project");
    FeatureGraph::new(FeatureDefinition::from_toml(text, &project).expect("features")).expect("a graph")
}

fn between(old: &str, new: &str) -> Diagram {
    let (old, new) = (graph(old), graph(new));
    Diagram::between(&old.versions(Truncation::default()), &new.versions(Truncation::default()))
}

#[test]
fn a_graph_is_a_tree() {
    let diagram = between(OLD, OLD);
    assert!(diagram.is_unchanged());
    insta::assert_snapshot!(diagram.to_tree(DiagramOptions::new()));
}

#[test]
fn what_has_changed_is_marked() {
    let diagram = between(OLD, NEW);
    assert!(!diagram.is_unchanged());
    insta::assert_snapshot!(diagram.to_tree(DiagramOptions::new()));
    let coloured = diagram.to_tree(DiagramOptions::new().fields(false).versions(false).coloured(true));
    insta::assert_snapshot!(coloured.escape_debug().to_string().replace("\\n", "\n"));
    insta::assert_snapshot!(diagram.to_mermaid(DiagramOptions::new()));
    insta::assert_snapshot!(diagram.to_dot(DiagramOptions::new().left_to_right(true).versions(false)));
}

#[test]
fn only_what_is_around_a_feature_is_kept() {
    let diagram = between(OLD, OLD);
    for (feature, up, down, expected) in [
        ("crop", None, None, &["raw", "crop", "faces", "gone"][..]),
        ("crop", Some(0), None, &["crop", "faces", "gone"]),
        ("crop", Some(1), Some(0), &["raw", "crop"]),
        ("gone", Some(1), None, &["crop", "gone"]),
        ("gone", Some(2), None, &["raw", "crop", "gone"]),
        ("raw", None, Some(0), &["raw"]),
    ] {
        let around = diagram.around(&feature.parse().expect("a key"), up, down).expect("it is there");
        let keys: Vec<&str> = around.nodes().iter().map(|node| node.key.as_str()).collect();
        assert_eq!(keys, expected, "{feature}");
    }
    assert!(diagram.around(&"nosuch".parse().expect("a key"), None, None).is_none());
}

/// Put together, both graphs lead from each feature to the other.
#[test]
fn two_graphs_that_lead_in_a_circle_are_drawn() {
    let one =
        "[[feature]]\nkey = 'a'\nid_columns = ['id']\n\n[[feature]]\nkey = 'b'\nid_columns = ['id']\ndeps = ['a']";
    let other =
        "[[feature]]\nkey = 'b'\nid_columns = ['id']\n\n[[feature]]\nkey = 'a'\nid_columns = ['id']\ndeps = ['b']";
    let diagram = between(one, other);
    let options = DiagramOptions::new().fields(false).versions(false);
    insta::assert_snapshot!(diagram.to_tree(options));
    assert_eq!(diagram.to_svg(options).matches("<rect").count(), 2);
}

#[test]
fn an_image_has_every_feature_once_and_none_on_another() {
    let mut diagram = between(OLD, NEW);
    let key = "crop".parse().expect("a key");
    diagram.note(&key, Note { text: "3 stale & <more>".to_owned(), stands_out: true });
    for left_to_right in [false, true] {
        let svg = diagram.to_svg(DiagramOptions::new().left_to_right(left_to_right));
        assert!(svg.contains("3 stale &amp; &lt;more&gt;"), "{svg}");
        assert_eq!(svg.matches("marker-end").count(), 4, "{svg}");
        let boxes: Vec<[f64; 4]> = svg.lines().filter(|line| line.contains("<rect")).map(rectangle).collect();
        assert_eq!(boxes.len(), 5, "{svg}");
        for (at, [x, y, width, height]) in boxes.iter().enumerate() {
            for [other_x, other_y, other_width, other_height] in &boxes[at + 1..] {
                let is_beside = x + width < *other_x || other_x + other_width < *x;
                let is_below = y + height < *other_y || other_y + other_height < *y;
                assert!(is_beside || is_below, "{svg}");
            }
        }
    }
}

/// Where a line of SVG has its rectangle: left, top, width and height.
fn rectangle(line: &str) -> [f64; 4] {
    ["x", "y", "width", "height"].map(|name| {
        let value = line.split(&format!(" {name}=\"")).nth(1).and_then(|rest| rest.split('"').next());
        value.and_then(|value| value.parse().ok()).expect("a number")
    })
}

#[test]
fn a_graph_without_features_is_drawn() {
    let empty = FeatureGraph::new([]).expect("a graph");
    let diagram = Diagram::new(&empty.versions(Truncation::default()));
    assert_eq!(diagram.to_tree(DiagramOptions::new()), "");
    assert!(diagram.to_svg(DiagramOptions::new()).ends_with("</svg>\n"));
}
