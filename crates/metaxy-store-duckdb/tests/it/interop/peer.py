"""Python Metaxy, driven by lines of JSON: a request per line of the input, an answer per line of the output.

A request is {"do": NAME, ...}, the rest being arguments of the method of this name in `Peer`. The answer is
{"ok": VALUE}, or {"error": {"type": ..., "message": ...}} for whatever Metaxy raises.
"""

import datetime
import gc
import json
import os
import pathlib
import sys
import types
import warnings

os.environ.setdefault("METAXY_LOG_LEVEL", "ERROR")
# What the libraries print must not get between the answers.
ANSWERS = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
warnings.simplefilter("ignore")

import hashes  # noqa: F401
import metaxy
import polars
from metaxy.config import MetaxyConfig
from metaxy.metadata_store.system.storage import SystemTableStorage
from metaxy.models.filter_expression import parse_filter_string
from metaxy.utils.lock_file import generate_lock_file

# What was imported stays to the end; without this a fifth of the time goes into looking whether it does.
gc.freeze()
gc.set_threshold(100_000, 20, 20)

BY_FIELD = ("metaxy_provenance_by_field", "metaxy_data_version_by_field")
TYPES = {"text": polars.String, "integer": polars.Int64, "float": polars.Float64, "boolean": polars.Boolean}


def plain(value):
    """A value as JSON has it: times in microseconds, maps as objects."""
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None:
            value = value.replace(tzinfo=datetime.timezone.utc)
        epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
        return (value - epoch) // datetime.timedelta(microseconds=1)
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    # A map comes as its entries: pairs from Arrow, structs from Polars.
    if isinstance(value, list):
        entries = (entry.values() if isinstance(entry, dict) else entry for entry in value)
        return {name: plain(item) for name, item in entries}
    return value


def rows_of(frame):
    """The rows of a frame, in whatever library it is."""
    table = frame.collect() if hasattr(frame, "collect") else frame
    table = table.to_arrow()
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    return [{name: plain(values[at]) for name, values in columns.items()} for at in range(table.num_rows)]


class Peer:
    """A graph and a store, and what can be done with them."""

    def enter(self, folder):
        """Makes a folder the working directory."""
        os.chdir(folder)

    def configure(self, file):
        """Reads a configuration, and starts anew with an empty graph."""
        self.config = MetaxyConfig.load(file)
        MetaxyConfig.set(self.config)
        self.module = types.ModuleType("peer_features")
        self.module.__metaxy_project__ = self.config.project
        sys.modules["peer_features"] = self.module
        return metaxy.__version__

    def graph(self, features):
        """Makes classes of specifications and the types of their columns; tells what Metaxy makes of them."""
        graph = metaxy.FeatureGraph()
        self.columns = {}
        with graph.use():
            for number, feature in enumerate(features):
                spec = metaxy.FeatureSpec.model_validate(feature["spec"])
                python = {"text": str, "integer": int, "float": float, "boolean": bool}
                columns = {name: python[of] for name, of in feature["columns"].items()}
                names = {"__module__": self.module.__name__, "__annotations__": columns}
                if feature.get("doc"):
                    names["__doc__"] = feature["doc"]
                type(metaxy.BaseFeature)(f"Feature{number}", (metaxy.BaseFeature,), names, spec=spec)
                self.columns[feature["spec"]["key"]] = feature["columns"]
            # Refused here, not at the first use.
            for key in self.columns:
                graph.get_feature_plan(metaxy.FeatureKey(key))
                graph.get_feature_version(metaxy.FeatureKey(key))
        metaxy.FeatureGraph.set_active(graph)
        self.active = graph
        return {"project_version": graph.project_version, "features": described(graph)}

    def lock(self, path, keys):
        """Writes a lock file of these features; whether that changes what is there."""
        selection = metaxy.FeatureSelection(keys=keys)
        with metaxy.FeatureGraph().use():
            lock = generate_lock_file(self.store, pathlib.Path(path), exclude_project="another", selection=selection)
        return lock.changed

    def open(self):
        """Opens the default store for writing."""
        self.store = self.config.get_store()
        self.opened = self.store.open("w")
        self.opened.__enter__()

    def close(self):
        self.opened.__exit__(None, None, None)

    def frame(self, feature, rows):
        """Rows of a feature, each column in its type."""
        types = {name: TYPES[of] for name, of in self.columns[feature].items()}
        for column in BY_FIELD:
            fields = self.active.feature_definitions_by_key[metaxy.FeatureKey(feature)].spec.fields
            types[column] = polars.Struct({field.key.to_struct_key(): polars.String for field in fields})
        names = list(rows[0])
        return polars.DataFrame(rows, schema={name: types[name] for name in names})

    def write(self, feature, rows):
        self.store.write(feature, self.frame(feature, rows))

    def read(self, feature, **options):
        options["filters"] = [parse_filter_string(text) for text in options.get("filters", [])]
        return rows_of(self.store.read(feature, **options))

    def resolve(self, feature, samples=None):
        """What is new, stale and orphaned; kept for `write_new`."""
        more = {} if samples is None else {"samples": self.frame(feature, samples)}
        self.increment = self.store.resolve_update(feature, **more)
        return {change: rows_of(getattr(self.increment, change)) for change in ("new", "stale", "orphaned")}

    def write_increment(self, feature, change):
        """Writes a part of the last increment as it is."""
        self.store.write(feature, getattr(self.increment, change))

    def delete(self, feature, filters, soft):
        self.store.delete(feature, [parse_filter_string(text) for text in filters], soft=soft)

    def push(self, tags):
        result = SystemTableStorage(self.store).push_graph_snapshot(tags=tags)
        return {"project_version": result.project_version, "already_pushed": result.already_pushed}

    def load_graph(self, project_version):
        """The features of a snapshot that was pushed."""
        return described(SystemTableStorage(self.store).load_graph_from_snapshot(project_version))


def described(graph):
    """What a lake keeps of each feature, and every version."""
    features = {}
    for key, definition in graph.feature_definitions_by_key.items():
        features[key.to_string()] = {
            "spec": definition.spec.model_dump(mode="json"),
            "schema": definition.feature_schema,
            "class_path": definition.feature_class_path,
            "table": definition.table_name,
            "feature": graph.get_feature_version(key),
            "definition": definition.feature_definition_version,
            "spec_version": definition.spec.feature_spec_version,
            "code": definition.spec.code_version,
            "fields": graph.get_feature_version_by_field(key),
        }
    return features


def main():
    peer = Peer()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"ok": getattr(peer, request.pop("do"))(**request)}
        except Exception as error:
            answer = {"error": {"type": type(error).__name__, "message": str(error)}}
        ANSWERS.write(json.dumps(answer) + "\n")
        ANSWERS.flush()


main()
