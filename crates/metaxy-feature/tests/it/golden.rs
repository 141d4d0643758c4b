//! Graphs whose versions Python Metaxy computed; see `tests/golden/README.md`.

use metaxy_feature::{FeatureDefinition, FeatureGraph, FeatureSpec, Json, JsonObject, Truncation};

#[test]
fn golden_graphs() {
    insta::glob!("../golden", "graph_*.json", |path| {
        let text = std::fs::read_to_string(path).expect("a readable golden file");
        check(&object(&Json::parse(&text).expect("JSON")));
    });
}

/// Checks that one recorded graph gets the recorded versions, parents, tables and texts.
fn check(golden: &JsonObject) {
    let project = text(&golden["project"]).parse().expect("a project name");
    let features = object(&golden["features"]);
    let definitions = features.values().map(|feature| {
        let feature = object(feature);
        let spec = FeatureSpec::from_json(&feature["spec"].to_string()).expect("a specification");
        assert_eq!(spec.to_json().to_string(), feature["spec"].to_string());
        assert_eq!(spec.key().table_name(), text(&feature["table_name"]));
        let definition = FeatureDefinition::new(spec, text(&feature["project"]).parse().expect("a project name"))
            .with_schema(object(&feature["feature_schema"]));
        match feature.get("external") {
            None => definition,
            Some(given) => {
                let given = object(given).into_iter();
                let given = given.map(|(field, version)| (field.parse().expect("a key"), text(&version).into()));
                definition.into_external(given.collect())
            }
        }
    });
    let graph = FeatureGraph::new(definitions).expect("a graph");
    assert_eq!(graph.project().expect("one project"), &project);

    for (length, expected) in object(&golden["versions"]) {
        let expected = object(&expected);
        let truncation = Truncation::new(length.parse().expect("a length")).expect("a truncation");
        let versions = graph.versions(truncation);
        assert_eq!(versions.project(&project).as_str(), text(&expected["project_version"]));
        let order: Vec<&str> = graph.iter().map(|feature| feature.key().as_str()).collect();
        assert_eq!(Json::from(order), expected["topological_order"]);
        let features = object(&expected["features"]);
        assert_eq!(features.len(), versions.iter().count());
        for (feature, actual) in versions.iter() {
            let expected = object(&features[feature.key().as_str()]);
            let of_fields = |value: &dyn Fn(usize) -> Json| {
                let fields = actual.fields.iter().enumerate();
                Json::Object(fields.map(|(index, (key, _))| (key.to_string(), value(index))).collect())
            };
            let field_versions = of_fields(&|index| actual.fields[index].1.as_str().into());
            assert_eq!(field_versions, expected["field_versions"], "{}", feature.key());
            assert_eq!(actual.feature.as_str(), text(&expected["feature_version"]), "{}", feature.key());
            assert_eq!(actual.code.as_str(), text(&expected["code_version"]), "{}", feature.key());
            assert_eq!(actual.spec.as_str(), text(&expected["feature_spec_version"]), "{}", feature.key());
            assert_eq!(actual.definition.as_str(), text(&expected["definition_version"]), "{}", feature.key());

            let plan = graph.plan(feature.key()).expect("a feature of the graph");
            let parents = of_fields(&|index| {
                plan.fields[index].parents.iter().map(|parent| parent.name.as_str()).collect::<Vec<_>>().into()
            });
            assert_eq!(parents, expected["parent_fields"], "{}", feature.key());
            if let Some(columns) = expected.get("input_id_columns") {
                let mut actual: Vec<&str> = plan.input_id_columns.iter().map(|column| column.as_str()).collect();
                actual.sort_unstable();
                assert_eq!(&Json::from(actual), columns, "{}", feature.key());
            }
        }
    }
}

fn object(json: &Json) -> JsonObject {
    json.clone().into_object().expect("an object")
}

fn text(json: &Json) -> &str {
    match json {
        Json::String(text) => text,
        other => panic!("{other} is no text"),
    }
}
