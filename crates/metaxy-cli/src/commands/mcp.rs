//! `metaxy mcp`: a server of the Model Context Protocol on stdin and stdout, so that an assistant can look at features.
//!
//! A tool is a command that only reads, with its output as JSON: the table below says which, and which argument is which
//! option. A value is always given as `--option=value`, so none is taken for an option. The configuration is read anew for
//! each call.

use std::sync::Arc;

use clap::FromArgMatches as _;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, JsonObject, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool, ToolAnnotations,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceExt as _, transport};
use serde_json::{Value, json};

use crate::args::{self, Args};
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::printer::Printer;

/// What a client tells the assistant.
const INSTRUCTIONS: &str = "\
Begin with `list_features`, then ask `get_feature` for one and `get_status` for what is to be done. Keys of features are written \
with slashes, as in `video/crop`. `list_stores` names the stores, and `get_metadata` gives rows of a feature. Nothing is changed.";

pub(crate) fn run(context: &Context, printer: &mut Printer) -> Result<Exit, Error> {
    // The protocol has stdout for itself.
    printer.release_stdout()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let server = Server { context: context.clone() };
    let ended = runtime.block_on(async {
        let service = server.serve(transport::stdio()).await.map_err(|error| error.to_string())?;
        service.waiting().await.map_err(|error| error.to_string())
    });
    // A read of stdin that nobody answers any more must not keep the program.
    runtime.shutdown_background();
    match ended {
        Ok(_) => Ok(Exit::Done),
        Err(message) => Err(Error::Protocol(message)),
    }
}

/// A tool: a command and its arguments.
struct Spec {
    name: &'static str,
    description: &'static str,
    command: &'static [&'static str],
    parameters: &'static [Parameter],
}

/// An argument of a tool, and the option of the command that it is.
struct Parameter {
    name: &'static str,
    kind: Kind,
    option: &'static str,
    description: &'static str,
}

/// What an argument is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A text that has to be there.
    Required,
    Text,
    Texts,
    Number,
    /// The option is given for true.
    Flag,
    /// The option is given for false.
    Opposite,
}

const STORE: Parameter =
    Parameter { name: "store_name", kind: Kind::Text, option: "store", description: "The store; else the default one" };

const KEY: Parameter =
    Parameter { name: "feature_key", kind: Kind::Required, option: "feature", description: "As in `video/crop`" };

const fn parameter(name: &'static str, kind: Kind, option: &'static str, description: &'static str) -> Parameter {
    Parameter { name, kind, option, description }
}

/// The tools of Python Metaxy, and two more.
const TOOLS: &[Spec] = &[
    Spec {
        name: "get_config",
        description: "The configuration with all defaults, secrets as ***",
        command: &["config", "print", "--format=json"],
        parameters: &[],
    },
    Spec {
        name: "list_features",
        description: "The features with their versions and fields",
        command: &["list", "features", "--format=json"],
        parameters: &[
            parameter("project", Kind::Text, "project", "Only features of this project"),
            parameter("verbose", Kind::Flag, "verbose", "Also what each field depends on"),
        ],
    },
    Spec {
        name: "get_feature",
        description: "One feature: fields, versions, id columns, dependencies",
        command: &["describe", "features", "--format=json"],
        parameters: &[KEY],
    },
    Spec {
        name: "list_stores",
        description: "The stores of the configuration, and whether each can be used",
        command: &["list", "stores", "--format=json"],
        parameters: &[],
    },
    Spec {
        name: "get_store",
        description: "One store: the SQL that attaches its lake, secrets as ***",
        command: &["preview", "--format=json"],
        parameters: &[parameter("store_name", Kind::Required, "store", "The store")],
    },
    Spec {
        name: "get_metadata",
        description: "Rows of a feature, 50 unless a limit is given",
        command: &["metadata", "read", "--format=json"],
        parameters: &[
            KEY,
            STORE,
            parameter("columns", Kind::Texts, "columns", "Only these columns"),
            parameter("filters", Kind::Texts, "filter", "Conditions on rows, as in `size > 10 AND lang = 'en'`"),
            parameter("with_feature_history", Kind::Flag, "with-feature-history", "Rows of other versions, too"),
            parameter("with_sample_history", Kind::Flag, "with-sample-history", "Every row that was ever written"),
            parameter("include_soft_deleted", Kind::Flag, "include-soft-deleted", "Rows that were deleted softly, too"),
            parameter("allow_fallback", Kind::Opposite, "no-allow-fallback-stores", "Read from fallback stores, too"),
            parameter("limit", Kind::Number, "limit", "So many rows at most"),
        ],
    },
    Spec {
        name: "get_status",
        description: "How many rows of features are missing, stale and orphaned; of all features without a key",
        command: &["metadata", "status", "--format=json"],
        parameters: &[
            STORE,
            parameter("feature_keys", Kind::Texts, "features", "Only these features"),
            parameter("filters", Kind::Texts, "filter", "Conditions on rows"),
        ],
    },
    Spec {
        name: "get_graph",
        description: "Which feature depends on which, with versions",
        command: &["graph", "render", "--format=json"],
        parameters: &[
            STORE,
            parameter("feature_key", Kind::Text, "feature", "Only what is around this feature"),
            parameter("up", Kind::Number, "up", "So many steps to what it depends on"),
            parameter("down", Kind::Number, "down", "So many steps to what depends on it"),
            parameter("snapshot", Kind::Text, "snapshot", "The graph that was recorded with this project version"),
        ],
    },
];

impl Spec {
    fn tool(&self) -> Tool {
        let properties = self.parameters.iter().map(|parameter| {
            let mut schema = match parameter.kind {
                Kind::Required | Kind::Text => json!({ "type": "string" }),
                Kind::Texts => json!({ "type": "array", "items": { "type": "string" } }),
                Kind::Number => json!({ "type": "integer", "minimum": 0 }),
                Kind::Flag | Kind::Opposite => json!({ "type": "boolean" }),
            };
            schema["description"] = parameter.description.into();
            (parameter.name.to_owned(), schema)
        });
        let required = self.parameters.iter().filter(|parameter| parameter.kind == Kind::Required);
        let mut schema = JsonObject::new();
        schema.insert("type".to_owned(), "object".into());
        schema.insert("properties".to_owned(), Value::Object(properties.collect()));
        schema.insert("required".to_owned(), required.map(|parameter| parameter.name).collect());
        schema.insert("additionalProperties".to_owned(), false.into());
        Tool::new(self.name, self.description, Arc::new(schema))
            .with_annotations(ToolAnnotations::new().read_only(true))
    }

    /// The command line that a call stands for; or what is wrong with its arguments.
    fn command_line(&self, given: &JsonObject) -> Result<Vec<String>, String> {
        if let Some(unknown) = given.keys().find(|name| self.parameters.iter().all(|known| known.name != **name)) {
            return Err(format!("`{}` has no argument `{unknown}`", self.name));
        }
        let mut words: Vec<String> = ["metaxy"].iter().chain(self.command).map(|word| (*word).to_owned()).collect();
        for parameter in self.parameters {
            match given.get(parameter.name) {
                None | Some(Value::Null) if parameter.kind == Kind::Required => {
                    return Err(format!("the argument `{}` is missing", parameter.name));
                }
                None | Some(Value::Null) => {}
                Some(value) => words.extend(parameter.options(value)?),
            }
        }
        let is_named = |option: &str| words.iter().any(|word| word.starts_with(option));
        match self.name {
            "get_status" if !is_named("--features=") => words.push("--all-features".to_owned()),
            "get_metadata" if !is_named("--limit=") => words.push("--limit=50".to_owned()),
            _ => {}
        }
        Ok(words)
    }
}

impl Parameter {
    fn options(&self, value: &Value) -> Result<Vec<String>, String> {
        let Self { name, option, .. } = self;
        let wrong = |expected: &str| format!("the argument `{name}` is not {expected}");
        let with = |value: &str| format!("--{option}={value}");
        match (self.kind, value) {
            (Kind::Required | Kind::Text, Value::String(text)) => Ok(vec![with(text)]),
            (Kind::Required | Kind::Text, _) => Err(wrong("a string")),
            (Kind::Texts, Value::Array(items)) => {
                let item = |item: &Value| item.as_str().map(with).ok_or_else(|| wrong("a list of strings"));
                items.iter().map(item).collect()
            }
            (Kind::Texts, _) => Err(wrong("a list of strings")),
            (Kind::Number, value) => match value.as_u64() {
                Some(number) => Ok(vec![with(&number.to_string())]),
                None => Err(wrong("an integer from 0")),
            },
            (Kind::Flag | Kind::Opposite, Value::Bool(value)) => {
                Ok(if *value == (self.kind == Kind::Flag) { vec![format!("--{option}")] } else { Vec::new() })
            }
            (Kind::Flag | Kind::Opposite, _) => Err(wrong("a boolean")),
        }
    }
}

/// What answers a client.
struct Server {
    context: Context,
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let mut info = ServerConfig::new(ServerCapabilities::builder().enable_tools().build());
        info.server_info = Implementation::new("metaxy", env!("CARGO_PKG_VERSION"));
        info.instructions = Some(INSTRUCTIONS.to_owned());
        info
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(TOOLS.iter().map(Spec::tool).collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(spec) = TOOLS.iter().find(|spec| spec.name == request.name) else {
            return Err(ErrorData::invalid_params(format!("there is no tool `{}`", request.name), None));
        };
        let words = match spec.command_line(&request.arguments.unwrap_or_default()) {
            Ok(words) => words,
            Err(message) => return Ok(CallToolResult::error(vec![ContentBlock::text(message)]).into()),
        };
        let context = self.context.clone();
        let answer = tokio::task::spawn_blocking(move || answer(&words, &context)).await;
        let answer = answer.map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
        Ok(match answer {
            Ok(text) => CallToolResult::success(vec![ContentBlock::text(text)]),
            Err(text) => CallToolResult::error(vec![ContentBlock::text(text)]),
        }
        .into())
    }
}

/// What a command prints, or why it failed.
fn answer(words: &[String], context: &Context) -> Result<String, String> {
    let mut command = args::command();
    let parsed = command.try_get_matches_from_mut(words).and_then(|matches| Args::from_arg_matches(&matches));
    let args = parsed.map_err(|error| error.render().to_string())?;
    let context = context.with(args.global.store.as_deref(), args.global.project.as_deref());
    let mut printer = Printer::in_memory();
    let ran = crate::dispatch(&args.command, &context, &mut printer).map_err(|error| context.explain(error));
    match ran {
        Ok(_) => Ok(printer.into_text()),
        Err(error) => Err(format!("{:#}", error.to_json())),
    }
}
