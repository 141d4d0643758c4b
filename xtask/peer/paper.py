"""Python Metaxy's side of its published benchmark, as `benches/paper.rs` is ours; features, samples and steps are those of
`publications/2026-introducing-metaxy` in its repository.

usage: paper.py STEP GRAPH ROWS HASH FILE

`fill` makes the database FILE with the samples of the roots, `change` writes the leaf and changes a tenth of the first
root, and `resolve` opens it and brings into memory what is new and stale.
"""

import os
import sys
import time
import warnings

os.environ.setdefault("METAXY_LOG_LEVEL", "ERROR")
warnings.simplefilter("ignore")

import hashes  # noqa: F401
import metaxy
import polars
from metaxy.config import MetaxyConfig
from metaxy.ext.duckdb import DuckDBMetadataStore
from metaxy.utils import collect_to_polars
from metaxy.versioning.types import HashAlgorithm

STEP, GRAPH, ROWS, HASH, FILE = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5]
FIELDS = {"simple": ["audio", "frames"], "wide": ["audio", "frames", "optical_flow", "embedding"]}
ROOTS = {"simple": ["bench/root"], "wide": ["bench/root_0", "bench/root_1"]}
LEAF = {"simple": ["prediction"], "wide": ["prediction_a", "prediction_b"]}

MetaxyConfig.set(MetaxyConfig(project="bench", auto_create_tables=True, enable_map_datatype=True))

__metaxy_project__ = "bench"


def feature(name, **spec):
    spec["fields"] = [metaxy.FieldSpec(key=key, code_version="1") for key in spec["fields"]]
    spec = metaxy.FeatureSpec(id_columns=["sample_uid"], **spec)
    return type(metaxy.BaseFeature)(name, (metaxy.BaseFeature,), {"__module__": __name__}, spec=spec)


roots = [feature(f"Root{at}", key=key, fields=FIELDS[GRAPH]) for at, key in enumerate(ROOTS[GRAPH])]
leaf = feature(
    "Leaf", key="bench/leaf", fields=LEAF[GRAPH], deps=[metaxy.FeatureDep(feature=root) for root in roots]
)


def samples(root, is_changed):
    """All samples of a root: versions look random, and so does which of them have changed.

    `samples` in `benches/paper.rs` makes the same.
    """
    number = polars.col("sample_uid").cast(polars.Int64)
    change = polars.when(is_changed & (number * 7919 % 1_000_003 % 10 == 0)).then(polars.lit("_bumped"))
    versions = [
        polars.format(
            f"{field[0]}{{}}{{}}",
            (number * 104_729 + 15_485_863 * (4 * root + at)) % 1_048_583,
            change.otherwise(polars.lit("")) if field == "audio" else polars.lit(""),
        ).alias(field)
        for at, field in enumerate(FIELDS[GRAPH])
    ]
    numbers = polars.select(sample_uid=polars.int_range(0, ROWS, dtype=polars.UInt64))
    return numbers.with_columns(metaxy_provenance_by_field=polars.struct(versions))


def store():
    return DuckDBMetadataStore(database=FILE, auto_create_tables=True, hash_algorithm=HashAlgorithm(HASH))


def fill():
    with store().open("w") as opened:
        for at, root in enumerate(roots):
            opened.write(root, samples(at, False))


def change():
    with store().open("w") as opened:
        opened.write(leaf, collect_to_polars(opened.resolve_update(leaf).new))
        opened.write(roots[0], samples(0, True))


def resolve():
    wall, cpu = time.perf_counter(), time.process_time()
    with store().open("w") as opened:
        increment = opened.resolve_update(leaf)
        new, stale = collect_to_polars(increment.new), collect_to_polars(increment.stale)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"found {len(new)} new, {len(stale)} stale in {wall:.6f} s, {cpu:.6f} s of processor time")


{"fill": fill, "change": change, "resolve": resolve}[STEP]()
