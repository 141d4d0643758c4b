//! A session of a client of the Model Context Protocol with `metaxy mcp`.

use std::os::fd::OwnedFd;
use std::process::Stdio;

use metaxy_testkit::{TempDir, deps};
use rmcp::ServiceExt as _;
use rmcp::model::{CallToolRequestParams, JsonObject};
use rmcp::service::{Peer, RoleClient};
use serde_json::{Value, json};
use tokio::net::unix::pipe;

use crate::run::{metaxy, run};

/// What a tool answers, and whether it is an error.
async fn call(client: &Peer<RoleClient>, tool: &'static str, arguments: Value) -> (bool, Value) {
    let arguments: JsonObject = serde_json::from_value(arguments).expect("an object");
    let result = client.call_tool(CallToolRequestParams::new(tool).with_arguments(arguments)).await.expect("an answer");
    let text = result.content.first().and_then(|content| content.as_text()).map(|text| text.text.clone());
    let text = text.unwrap_or_default();
    let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
    (result.is_error.unwrap_or_default(), value)
}

#[tokio::test]
async fn a_client_reads_features_their_graph_rows_and_status() {
    let folder = TempDir::new();
    run(&mut metaxy(&folder, &["init", "--example"]), "").done();
    let versions = "column=audio:audio_sum,frames:frames_sum";
    let write = ["metadata", "write", "video/raw", "videos.csv", "--provenance", versions];
    run(metaxy(&folder, &write).env("METAXY_EXTENSION_DIRECTORY", deps().extensions()), "").done();
    // Whoever reads a catalog of SQLite leaves what its journal needs.
    let files = || folder.files().into_iter().filter(|file| !file.contains(".sqlite-")).collect::<Vec<_>>();
    let before = files();

    let mut command = metaxy(&folder, &["mcp"]);
    command.env("METAXY_EXTENSION_DIRECTORY", deps().extensions()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("the program");
    let read = OwnedFd::from(child.stdout.take().expect("stdout is piped"));
    let written = OwnedFd::from(child.stdin.take().expect("stdin is piped"));
    let read = pipe::Receiver::from_owned_fd(read).expect("a pipe");
    let written = pipe::Sender::from_owned_fd(written).expect("a pipe");
    let client = ().serve((read, written)).await.expect("a session");

    let mut tools = client.list_all_tools().await.expect("tools");
    tools.sort_by(|one, other| one.name.cmp(&other.name));
    let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_ref()).collect();
    let expected = [
        "get_config",
        "get_feature",
        "get_graph",
        "get_metadata",
        "get_status",
        "get_store",
        "list_features",
        "list_stores",
    ];
    assert_eq!(names, expected);
    assert!(tools.iter().all(|tool| tool.annotations.as_ref().and_then(|it| it.read_only_hint) == Some(true)));

    let none = json!({});
    let (_, features) = call(&client, "list_features", json!({ "verbose": true })).await;
    assert_eq!(features["features"][1]["fields"][0]["version"], "0e082a34", "{features}");
    let (_, feature) = call(&client, "get_feature", json!({ "feature_key": "video/raw" })).await;
    assert_eq!(feature["version"], "b9bb54e4", "{feature}");
    let (_, stores) = call(&client, "list_stores", none.clone()).await;
    assert_eq!(stores["stores"][0]["name"], "dev", "{stores}");
    let (_, store) = call(&client, "get_store", json!({ "store_name": "dev" })).await;
    assert_eq!(store["alias"], "ducklake", "{store}");
    let (_, config) = call(&client, "get_config", none.clone()).await;
    assert_eq!(config["store"], "dev", "{config}");
    let (_, graph) = call(&client, "get_graph", json!({ "feature_key": "video/faces", "up": 1 })).await;
    assert_eq!(graph["edges"], json!([{ "from": "video/raw", "to": "video/faces" }]), "{graph}");
    let (_, status) = call(&client, "get_status", none.clone()).await;
    assert_eq!(status["features"]["video/faces"]["missing"], 3, "{status}");
    let rows = json!({
        "feature_key": "video/raw", "store_name": "dev", "columns": ["id"], "filters": ["id != 'intro'"], "limit": 1,
        "allow_fallback": false, "with_sample_history": true,
    });
    let (_, rows) = call(&client, "get_metadata", rows).await;
    assert_eq!(rows.as_array().map(Vec::len), Some(1), "{rows}");

    // What is wrong is told, and ends nothing. A value is never taken for an option.
    for (tool, arguments, says) in [
        ("get_feature", json!({ "feature_key": "video/nosuch" }), "FEATURES_NOT_FOUND"),
        ("get_feature", none.clone(), "the argument `feature_key` is missing"),
        ("get_feature", json!({ "feature_key": 1 }), "the argument `feature_key` is not a string"),
        ("get_metadata", json!({ "feature_key": "video/raw", "sort": "id" }), "has no argument `sort`"),
        ("get_metadata", json!({ "feature_key": "video/raw", "filters": ["--output=x"] }), "is not a valid filter"),
        ("get_store", json!({ "store_name": "nosuch" }), "nosuch"),
    ] {
        let (is_error, answer) = call(&client, tool, arguments).await;
        assert!(is_error && answer.to_string().contains(says), "{tool}: {answer}");
    }
    assert!(client.call_tool(CallToolRequestParams::new("delete_metadata")).await.is_err());

    client.cancel().await.expect("the end");
    assert!(child.wait().expect("an end").success());
    assert_eq!(files(), before);
}
