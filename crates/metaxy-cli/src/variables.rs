//! Options from variables: `METAXY_<COMMAND>_<OPTION>`, as Python Metaxy has them, so `METAXY_METADATA_DELETE_STORE`.
//!
//! Names and types follow from the definition of the command line, so no option can be forgotten. What is typed wins over
//! a variable, and a variable over the configuration. A variable counts as if its option had been typed, but an empty one
//! counts as unset, and flags that confirm something have to be typed.
//!
//! A file `.env` in the working directory may belong to somebody else. It gives an option only where it could say the same
//! as a key of the configuration; another option there is an error, since leaving it out might delete from the wrong store.

use std::any::TypeId;
use std::ffi::{OsStr, OsString};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches as _};
use metaxy_store_duckdb::Filter;

use crate::args::{self, Args, ColumnType, TYPED_ONLY, Tag};
use crate::environment;

const PREFIX: &str = "METAXY_";

/// Options that exclude each other, although only their command knows.
const ALTERNATIVES: &[[&str; 2]] = &[["features", "all_features"], ["positional_features", "all_features"]];

/// The variables that options may come from.
#[derive(Debug, Default)]
pub(crate) struct Variables {
    environment: Vec<(String, OsString)>,
    env_file: Vec<(String, OsString)>,
}

impl Variables {
    /// Those of the process, and those of `.env`; whoever loads the configuration says what is wrong with that file.
    pub(crate) fn read() -> Self {
        let is_ours = |(name, _): &(String, OsString)| name.starts_with(PREFIX);
        let environment = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        let env_file = environment::variables_of_file().into_iter().map(|(name, value)| (name, value.into()));
        Self { environment: environment.filter(is_ours).collect(), env_file: env_file.filter(is_ours).collect() }
    }
}

/// What was typed and set, and what is to be said about variables.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) args: Args,
    pub(crate) warnings: Vec<String>,
}

/// Parses a command line together with the variables for the command that it names.
pub(crate) fn parse(
    mut command: Command,
    arguments: Vec<OsString>,
    variables: &Variables,
) -> Result<Parsed, clap::Error> {
    // What a variable gives need not be typed, so requirements are checked once it is known.
    let mut probe = without_requirements(command.clone());
    let additions = match probe.try_get_matches_from_mut(&arguments) {
        Ok(matches) => Additions::of(&probe, &matches, variables)?,
        // Help, or an error, which is found again.
        Err(_) => Additions::default(),
    };
    let matches = command.try_get_matches_from_mut(additions.added_to(arguments));
    let mut matches = matches.map_err(|error| additions.named_in(error))?;
    let args = Args::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))?;
    Ok(Parsed { args, warnings: additions.warnings })
}

/// The variables of all options; a name that ends in `*` stands for all that begin so.
pub(crate) fn names() -> Vec<String> {
    let mut names = Vec::new();
    let mut command = args::command();
    command.build();
    collect_names(&command, &mut Vec::new(), &mut names);
    names
}

fn collect_names(command: &Command, path: &mut Vec<String>, names: &mut Vec<String>) {
    for arg in command.get_arguments() {
        for name in names_of(arg, path) {
            names.extend(is::<Tag>(arg).then(|| [&name, "_*"].concat()));
            names.push(name);
        }
    }
    for below in command.get_subcommands() {
        path.push(below.get_name().to_owned());
        collect_names(below, path, names);
        path.pop();
    }
}

fn without_requirements(command: Command) -> Command {
    let groups: Vec<clap::Id> = command.get_groups().map(|group| group.get_id().clone()).collect();
    let command = command.mut_args(|arg| arg.required(false)).mut_subcommands(without_requirements);
    groups.iter().fold(command, |command, group| command.mut_group(group, |group| group.required(false)))
}

/// The names of the variables of an option, the one that wins first.
fn names_of(arg: &Arg, path: &[String]) -> Vec<String> {
    let is_option =
        !matches!(arg.get_action(), ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version);
    if !is_option || is_by_place(arg) {
        return Vec::new();
    }
    let long = arg.get_long().unwrap_or(arg.get_id().as_str()).to_owned();
    let aliases = arg.get_all_aliases().unwrap_or_default().into_iter();
    let mut words = vec![long];
    // `--no-hard` for `--soft` is another way to say it, not another name.
    words.extend(aliases.filter(|alias| !alias.starts_with("no-")).map(str::to_owned));
    words.extend(arg.get_short().map(String::from));
    let variable = |path: &[String], word: &str| {
        let parts = path.iter().map(String::as_str).chain([word]);
        [PREFIX, &parts.map(in_capitals).collect::<Vec<_>>().join("_")].concat()
    };
    let mut names: Vec<String> = words.iter().map(|word| variable(path, word)).collect();
    // `METAXY_STORE` and the like are read with the configuration.
    if arg.is_global_set() && !path.is_empty() && !metaxy_config::is_key(arg.get_id().as_str()) {
        names.extend(words.iter().map(|word| variable(&[], word)));
    }
    names
}

fn in_capitals(word: &str) -> String {
    word.replace('-', "_").to_ascii_uppercase()
}

/// Whether it is the shorter form of an option that has a name.
fn is_by_place(arg: &Arg) -> bool {
    arg.get_id().as_str().starts_with(args::BY_PLACE)
}

fn is<T: 'static>(arg: &Arg) -> bool {
    arg.get_value_parser().type_id() == TypeId::of::<T>()
}

/// What variables add to a command line.
#[derive(Debug, Default)]
struct Additions {
    options: Vec<OsString>,
    positional: Vec<OsString>,
    /// Each option, as clap shows it, and the variable that gave it.
    sources: Vec<(String, String)>,
    warnings: Vec<String>,
}

impl Additions {
    fn of(root: &Command, matches: &ArgMatches, variables: &Variables) -> Result<Self, clap::Error> {
        let (mut command, mut matches, mut path) = (root, matches, Vec::new());
        while let Some((name, below)) = matches.subcommand() {
            let Some(found) = command.find_subcommand(name) else { break };
            path.push(found.get_name().to_owned());
            (command, matches) = (found, below);
        }
        let is_typed = |arg: &&Arg| {
            let id = arg.get_id().as_str();
            matches.try_contains_id(id).is_ok() && matches.value_source(id) == Some(ValueSource::CommandLine)
        };
        let typed: Vec<&Arg> = command.get_arguments().filter(is_typed).collect();
        let mut additions = Self::default();
        for arg in command.get_arguments() {
            if !typed.iter().any(|typed| displaces(command, typed, arg)) {
                additions.add(arg, command, &path, variables)?;
            }
        }
        Ok(additions)
    }

    /// Adds what variables say about an option that was not typed.
    fn add(&mut self, arg: &Arg, command: &Command, path: &[String], variables: &Variables) -> Result<(), clap::Error> {
        let refused = |message: String| clap::Error::raw(ErrorKind::InvalidValue, message + "\n").with_cmd(command);
        let names = names_of(arg, path);
        let Some((name, value, is_in_file)) = find(&names, variables) else {
            self.add_tags(arg, &names, variables);
            return Ok(());
        };
        let flag = match arg.get_action() {
            ArgAction::SetTrue => match boolean(value) {
                Some(flag) => Some(flag),
                None => return Err(refused(format!("the variable `{name}` does not hold a boolean"))),
            },
            _ => None,
        };
        let id = arg.get_id().as_str();
        let shown = arg.get_long().map_or_else(|| arg.to_string(), |long| ["--", long].concat());
        if TYPED_ONLY.contains(&id) {
            if flag != Some(false) {
                self.warnings.push(format!("`{name}` has no effect: `{shown}` has to be typed"));
            }
            return Ok(());
        }
        if is_in_file && id != "config_file" && !metaxy_config::is_key(id) {
            let message = format!(
                "`.env` sets `{name}`, but `{shown}` comes from the command line or the environment alone: export the variable"
            );
            return Err(refused(message));
        }
        self.sources.push((shown.clone(), name.to_owned()));
        match (arg.get_action(), flag) {
            (_, Some(true)) => self.options.push(shown.into()),
            (_, Some(false)) => {
                let negated = ["no-", arg.get_long().unwrap_or_default()].concat();
                let has_it = |other: &Arg| {
                    other.get_long() == Some(&negated)
                        || other.get_all_aliases().unwrap_or_default().contains(&negated.as_str())
                };
                self.options.extend(command.get_arguments().any(has_it).then(|| ["--", &negated].concat().into()));
            }
            (ArgAction::Count, _) => {
                let times = value.to_str().and_then(|text| text.parse().ok());
                let times: u8 = times
                    .or_else(|| boolean(value).map(u8::from))
                    .ok_or_else(|| refused(format!("the variable `{name}` does not hold a number of times")))?;
                let short = arg.get_short().map_or(shown, |short| ["-", short.encode_utf8(&mut [0; 4])].concat());
                self.options.extend(std::iter::repeat_n(OsString::from(short), times.into()));
            }
            (ArgAction::Append, _) => split(arg, value).into_iter().for_each(|value| self.push(arg, &value)),
            _ => self.push(arg, value),
        }
        Ok(())
    }

    /// Adds `METAXY_PUSH_TAGS_GIT=…`, which is `--tags git=…`.
    fn add_tags(&mut self, arg: &Arg, names: &[String], variables: &Variables) {
        let Some(name) = names.first().filter(|_| is::<Tag>(arg)) else { return };
        let prefix = [name, "_"].concat();
        for (variable, value) in &variables.environment {
            if let Some(key) = variable.strip_prefix(&prefix).filter(|key| !key.is_empty()) {
                let mut tag = OsString::from(key.to_ascii_lowercase() + "=");
                tag.push(value);
                self.sources.push((["--", arg.get_long().unwrap_or_default()].concat(), variable.clone()));
                self.push(arg, &tag);
            }
        }
    }

    fn push(&mut self, arg: &Arg, value: &OsStr) {
        match arg.get_long() {
            Some(long) => {
                let mut option = OsString::from(["--", long, "="].concat());
                option.push(value);
                self.options.push(option);
            }
            None => self.positional.push(value.to_owned()),
        }
    }

    /// The command line with them.
    fn added_to(&self, mut arguments: Vec<OsString>) -> Vec<OsString> {
        let end = arguments.iter().position(|argument| argument == "--").unwrap_or(arguments.len());
        arguments.splice(end..end, self.options.iter().cloned());
        if !self.positional.is_empty() {
            if !arguments.iter().any(|argument| argument == "--") {
                arguments.push("--".into());
            }
            arguments.extend(self.positional.iter().cloned());
        }
        arguments
    }

    /// The error with the variables that gave the options it is about.
    fn named_in(&self, mut error: clap::Error) -> clap::Error {
        let is_about = |shown: &str| {
            [ContextKind::InvalidArg, ContextKind::PriorArg].iter().any(|kind| match error.get(*kind) {
                Some(ContextValue::String(text)) => is_same_option(text, shown),
                Some(ContextValue::Strings(texts)) => texts.iter().any(|text| is_same_option(text, shown)),
                _ => false,
            })
        };
        let about = self.sources.iter().filter(|(shown, _)| is_about(shown));
        let mut tips: Vec<clap::builder::StyledStr> =
            about.map(|(shown, name)| format!("`{shown}` is what the variable `{name}` says").into()).collect();
        if tips.is_empty() {
            return error;
        }
        if let Some(ContextValue::StyledStrs(given)) = error.get(ContextKind::Suggested) {
            tips.extend(given.iter().cloned());
        }
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
        error
    }
}

/// Whether a text as `--store <NAME>` is about the option `--store`.
fn is_same_option(text: &str, shown: &str) -> bool {
    text == shown || text.split(' ').next() == Some(shown)
}

/// Whether one option that was typed leaves no room for what a variable says about another.
fn displaces(command: &Command, typed: &Arg, arg: &Arg) -> bool {
    let (typed_id, id) = (typed.get_id().as_str(), arg.get_id().as_str());
    let name = |id: &str| id.strip_prefix(args::BY_PLACE).unwrap_or(id).to_owned();
    let flag = |id: &str| id.strip_prefix("no_").unwrap_or(id).to_owned();
    name(typed_id) == name(id)
        || flag(typed_id) == flag(id)
        || ALTERNATIVES.iter().any(|pair| pair.contains(&typed_id) && pair.contains(&id))
        || command.get_arg_conflicts_with(typed).iter().any(|other| other.get_id() == arg.get_id())
        || command.get_arg_conflicts_with(arg).iter().any(|other| other.get_id() == typed.get_id())
}

/// The first of the variables that is set and not empty, and whether it is in `.env`.
fn find<'a>(names: &'a [String], variables: &'a Variables) -> Option<(&'a str, &'a OsStr, bool)> {
    let value = |set: &'a [(String, OsString)], name: &str| {
        let value = set.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_os_str());
        value.filter(|value| !value.is_empty())
    };
    names.iter().find_map(|name| {
        let is_set = variables.environment.iter().any(|(known, _)| known == name);
        match value(&variables.environment, name) {
            Some(found) => Some((name.as_str(), found, false)),
            // One that is set to nothing is set, so that the file does not count.
            None if is_set => None,
            None => value(&variables.env_file, name).map(|found| (name.as_str(), found, true)),
        }
    })
}

/// A boolean, in the words that the configuration has for it.
fn boolean(value: &OsStr) -> Option<bool> {
    match value.to_str()?.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" | "t" | "y" => Some(true),
        "false" | "0" | "no" | "off" | "f" | "n" => Some(false),
        _ => None,
    }
}

/// The values of a list: words; or lines, where a value has blanks in it.
fn split(arg: &Arg, value: &OsStr) -> Vec<OsString> {
    let Some(text) = value.to_str() else { return vec![value.to_owned()] };
    if is::<Filter>(arg) || is::<ColumnType>(arg) {
        return text.lines().map(str::trim).filter(|line| !line.is_empty()).map(OsString::from).collect();
    }
    text.split_whitespace().map(OsString::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(environment: &[(&str, &str)], env_file: &[(&str, &str)]) -> Variables {
        let owned = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ([PREFIX, name].concat(), OsString::from(value))).collect()
        };
        Variables { environment: owned(environment), env_file: owned(env_file) }
    }

    /// The command line with what variables add to it, or what is wrong with them; in words.
    fn read(typed: &str, variables: &Variables) -> Result<String, String> {
        let arguments: Vec<OsString> = typed.split(' ').map(OsString::from).collect();
        parse(args::command(), arguments.clone(), variables)
            .map_err(|error| error.to_string().split("\n\nUsage").next().unwrap_or_default().to_owned())?;
        let mut probe = without_requirements(args::command());
        let matches = probe.try_get_matches_from_mut(&arguments).map_err(|error| error.to_string())?;
        let additions = Additions::of(&probe, &matches, variables).map_err(|error| error.to_string())?;
        let all: Vec<_> =
            additions.added_to(arguments).iter().map(|text| text.to_string_lossy().into_owned()).collect();
        Ok([all, additions.warnings].concat().join(" "))
    }

    #[test]
    fn a_variable_counts_as_if_its_option_had_been_typed() {
        for (typed, set, expected) in [
            ("push", &[("PUSH_STORE", "prod")][..], "push --store=prod"),
            ("push", &[("HISTORY_STORE", "prod"), ("STORE", "prod"), ("PUSH_STORE_", "prod")], "push"),
            ("push", &[("PUSH_STORE", "")], "push"),
            ("push --store dev", &[("PUSH_STORE", "prod")], "push --store dev"),
            ("push dev", &[("PUSH_STORE", "prod")], "push dev"),
            ("push", &[("PUSH_TAGS", "a=1 b=2")], "push --tags=a=1 --tags=b=2"),
            ("push", &[("PUSH_TAGS_GIT_SHA", "c d")], "push --tags=git_sha=c d"),
            ("push", &[("CONFIG_FILE", "a.toml")], "push --config-file=a.toml"),
            ("push", &[("CONFIG_FILE", "a.toml"), ("PUSH_CONFIG_FILE", "b.toml")], "push --config-file=b.toml"),
            ("push --config-file c.toml", &[("CONFIG_FILE", "a.toml")], "push --config-file c.toml"),
            ("history", &[("HISTORY_F", "json"), ("HISTORY_LIMIT", "3")], "history --limit=3 --format=json"),
            ("history dev 1", &[("HISTORY_STORE", "prod"), ("HISTORY_LIMIT", "3")], "history dev 1"),
            ("history -f text", &[("HISTORY_F", "json"), ("HISTORY_FORMAT", "json")], "history -f text"),
            // Lists: words, or for conditions lines.
            (
                "metadata status",
                &[("METADATA_STATUS_FEATURES", "a b/c")],
                "metadata status --features=a --features=b/c",
            ),
            ("metadata status a", &[("METADATA_STATUS_FEATURES", "b")], "metadata status a"),
            ("metadata status a", &[("METADATA_STATUS_ALL_FEATURES", "1")], "metadata status a"),
            ("metadata status --all-features", &[("METADATA_STATUS_FEATURE", "b")], "metadata status --all-features"),
            (
                "metadata status a",
                &[("METADATA_STATUS_FILTER", "x = 1\n y > 2 ")],
                "metadata status a --filter=x = 1 --filter=y > 2",
            ),
            // Flags, and their opposites.
            ("metadata status a", &[("METADATA_STATUS_VERBOSE", "no")], "metadata status a --no-verbose"),
            ("metadata status a --verbose", &[("METADATA_STATUS_VERBOSE", "no")], "metadata status a --verbose"),
            ("metadata status a --no-verbose", &[("METADATA_STATUS_VERBOSE", "1")], "metadata status a --no-verbose"),
            ("metadata status a", &[("METADATA_STATUS_NO_VERBOSE", "on")], "metadata status a --no-verbose"),
            ("metadata status a", &[("METADATA_STATUS_V", "2"), ("QUIET", "t")], "metadata status a --quiet -v -v"),
            (
                "metadata status a",
                &[("METADATA_STATUS_ALLOW_FALLBACK_STORES", "false")],
                "metadata status a --no-allow-fallback-stores",
            ),
            ("metadata delete a --hard", &[("METADATA_DELETE_SOFT", "1")], "metadata delete a --hard"),
            ("metadata delete a", &[("METADATA_DELETE_SOFT", "0")], "metadata delete a --no-soft"),
            ("list features --all-projects", &[("LIST_FEATURES_PROJECT", "x")], "list features --all-projects"),
            // What has no name but its place comes last.
            ("sql", &[("SQL_QUERY", "-- x"), ("SQL_FORMAT", "csv")], "sql --format=csv -- -- x"),
            ("sql -- x", &[("SQL_QUERY", "y"), ("SQL_FORMAT", "csv")], "sql --format=csv -- x"),
            (
                "metadata write",
                &[("METADATA_WRITE_FEATURE", "a"), ("METADATA_WRITE_FILE", "f")],
                "metadata write --feature=a -- f",
            ),
            // Requirements are met by variables, too.
            (
                "metadata copy a",
                &[("METADATA_COPY_FROM", "x"), ("METADATA_COPY_TO", "y")],
                "metadata copy a --from=x --to=y",
            ),
            (
                "metadata read",
                &[("METADATA_READ_COLUMNS", "a,b"), ("METADATA_READ_FEATURE", "c")],
                "metadata read --feature=c --columns=a,b",
            ),
            // An answer to a question has to be typed.
            (
                "metadata delete a --hard",
                &[("METADATA_DELETE_YES", "1")],
                "metadata delete a --hard `METAXY_METADATA_DELETE_YES` has no effect: `--yes` has to be typed",
            ),
            ("metadata delete a --yes", &[("METADATA_DELETE_YES", "1")], "metadata delete a --yes"),
            ("sql x", &[("SQL_ALLOW_FILES", "0")], "sql x"),
            (
                "preview",
                &[("PREVIEW_REVEAL_SECRETS", "yes")],
                "preview `METAXY_PREVIEW_REVEAL_SECRETS` has no effect: `--reveal-secrets` has to be typed",
            ),
        ] {
            let read = read(&["metaxy ", typed].concat(), &variables(set, &[]));
            assert_eq!(read.as_deref(), Ok(["metaxy ", expected].concat().as_str()), "{typed} {set:?}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_variable_names_it() {
        for (typed, set, expected) in [
            (
                "list stores",
                ("LIST_STORES_FORMAT", "xml"),
                "tip: `--format` is what the variable `METAXY_LIST_STORES_FORMAT` says",
            ),
            ("history", ("HISTORY_LIMIT", "many"), "tip: `--limit` is what the variable `METAXY_HISTORY_LIMIT` says"),
            ("metadata status a", ("METADATA_STATUS_FILTER", "1 +"), "`METAXY_METADATA_STATUS_FILTER` says"),
            (
                "metadata status a",
                ("METADATA_STATUS_PROGRESS", "maybe"),
                "the variable `METAXY_METADATA_STATUS_PROGRESS` does not hold a boolean",
            ),
            (
                "list stores",
                ("LIST_STORES_V", "much"),
                "the variable `METAXY_LIST_STORES_V` does not hold a number of times",
            ),
            ("metadata read", ("METADATA_READ_FEATURE", "A"), "`METAXY_METADATA_READ_FEATURE` says"),
        ] {
            let error = read(&["metaxy ", typed].concat(), &variables(&[set], &[])).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn an_env_file_gives_what_the_configuration_could_say() {
        for (typed, set, in_file, expected) in [
            ("push", &[][..], ("PUSH_STORE", "prod"), Ok("push --store=prod")),
            ("push", &[("PUSH_STORE", "dev")], ("PUSH_STORE", "prod"), Ok("push --store=dev")),
            ("push", &[("PUSH_STORE", "")], ("PUSH_STORE", "prod"), Ok("push")),
            ("push", &[], ("CONFIG_FILE", "a.toml"), Ok("push --config-file=a.toml")),
            ("push", &[], ("METADATA_READ_OUTPUT", "a"), Ok("push")),
            ("metadata read a", &[], ("METADATA_READ_OUTPUT", "b"), Err("`.env` sets `METAXY_METADATA_READ_OUTPUT`")),
            ("metadata read a -o c", &[], ("METADATA_READ_OUTPUT", "b"), Ok("metadata read a -o c")),
            (
                "metadata delete a",
                &[],
                ("METADATA_DELETE_DRY_RUN", "1"),
                Err("`.env` sets `METAXY_METADATA_DELETE_DRY_RUN`"),
            ),
            ("sql x", &[], ("SQL_MODE", "write"), Err("`.env` sets `METAXY_SQL_MODE`")),
        ] {
            let read = read(&["metaxy ", typed].concat(), &variables(set, &[in_file]));
            match expected {
                Ok(expected) => assert_eq!(read, Ok(["metaxy ", expected].concat()), "{typed} {in_file:?}"),
                Err(expected) => assert!(read.unwrap_err().contains(expected), "{typed} {in_file:?}"),
            }
        }
    }

    /// What `--help` of Python Metaxy 0.1.11 shows for the commands that are here, too.
    const OF_PYTHON: &str = "CONFIG_FILE ALL_PROJECTS CONFIG_PRINT_F DESCRIBE_FEATURES_ALL_FEATURES DESCRIBE_FEATURES_F \
        DESCRIBE_FEATURES_FEATURES DESCRIBE_GRAPH_SNAPSHOT DESCRIBE_GRAPH_STORE LIST_FEATURES_F LIST_FEATURES_V LIST_STORES_F \
        METADATA_COPY_ALL_FEATURES METADATA_COPY_FEATURES METADATA_COPY_FILTER METADATA_COPY_FROM METADATA_COPY_TO \
        METADATA_COPY_WITH_FEATURE_HISTORY METADATA_COPY_WITH_SAMPLE_HISTORY METADATA_DELETE_ALL_FEATURES \
        METADATA_DELETE_DRY_RUN METADATA_DELETE_FEATURES METADATA_DELETE_FILTER METADATA_DELETE_SOFT METADATA_DELETE_STORE \
        METADATA_DELETE_WITH_FEATURE_HISTORY METADATA_DELETE_YES METADATA_STATUS_ALLOW_FALLBACK_STORES \
        METADATA_STATUS_ALL_FEATURES METADATA_STATUS_FEATURES METADATA_STATUS_FILTER METADATA_STATUS_FORMAT \
        METADATA_STATUS_GLOBAL_FILTER METADATA_STATUS_PROGRESS METADATA_STATUS_SNAPSHOT_ID METADATA_STATUS_STALE_IF \
        METADATA_STATUS_STORE METADATA_STATUS_VERBOSE PUSH_STORE PUSH_TAGS HISTORY_STORE HISTORY_LIMIT METADATA_REBASE_STORE \
        METADATA_REBASE_FROM METADATA_REBASE_TO METADATA_REBASE_DRY_RUN";

    #[test]
    fn every_option_has_a_variable() {
        let names = names();
        for name in OF_PYTHON.split_whitespace() {
            assert!(names.contains(&[PREFIX, name].concat()), "{name}");
        }
        let mut command = args::command();
        command.build();
        check_options(&command, &mut Vec::new());
    }

    /// A variable reaches every option of a command and of those below it.
    fn check_options(command: &Command, path: &mut Vec<String>) {
        for arg in command.get_arguments().filter(|arg| !command.has_subcommands() && !names_of(arg, path).is_empty()) {
            let id = arg.get_id().as_str();
            let value = if matches!(arg.get_action(), ArgAction::SetTrue | ArgAction::Count) { "1" } else { "v" };
            for name in names_of(arg, path) {
                let set = Variables { environment: vec![(name.clone(), value.into())], env_file: Vec::new() };
                let mut additions = Additions::default();
                additions.add(arg, command, path, &set).unwrap();
                let is_added = additions.options.len() + additions.positional.len() == 1;
                assert_eq!(is_added, !TYPED_ONLY.contains(&id), "{name}");
                assert_ne!(is_added, additions.warnings.len() == 1, "{name}");
            }
        }
        for below in command.get_subcommands() {
            path.push(below.get_name().to_owned());
            check_options(below, path);
            path.pop();
        }
    }

    #[test]
    fn every_option_of_a_kind_has_its_spellings() {
        fn check(command: &Command) {
            for arg in command.get_arguments() {
                let is_typed = |typed: &str| {
                    command.get_arguments().any(|other| {
                        other.get_long() == Some(typed) || other.get_all_aliases().unwrap_or_default().contains(&typed)
                    })
                };
                let long = arg.get_long().unwrap_or_default();
                assert!(long != "format" || arg.get_short() == Some('f'), "{command}");
                if matches!(arg.get_action(), ArgAction::SetTrue) && !long.starts_with("no-") {
                    assert!(is_typed(&["no-", long].concat()), "{command}: {long}");
                }
                if ["feature", "features"].contains(&long) {
                    assert!(is_typed("feature") && is_typed("features"), "{command}");
                }
            }
            command.get_subcommands().for_each(check);
        }
        let command = args::command();
        command.clone().debug_assert();
        check(&command);
    }
}
