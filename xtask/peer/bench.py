"""The steps of a pipeline on one lake with Python Metaxy, timed: those of `benches/features.rs`, with the same rows.

usage: bench.py FOLDER EXTENSIONS ROWS

Prints, for each step, seconds of wall and processor time and the process's peak memory in MB.
"""

import os
import resource
import sys
import time
import warnings

os.environ.setdefault("METAXY_LOG_LEVEL", "ERROR")
warnings.simplefilter("ignore")

import offline  # noqa: F401
import polars
from bench_features import Child, Root
from metaxy.config import MetaxyConfig
from metaxy.ext.duckdb import DuckDBMetadataStore, DuckLakeConfig
from metaxy.versioning.types import HashAlgorithm

FOLDER, EXTENSIONS, ROWS = sys.argv[1], sys.argv[2], int(sys.argv[3])


def step(name, work):
    wall, cpu = time.perf_counter(), time.process_time()
    done = work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name:38} {wall:9.3f} s  cpu {cpu:8.2f}  peak {peak:9.1f} MB", flush=True)
    return done


def samples(each, salt):
    """Every `each`th sample of the root."""
    number = polars.col("number")
    text = number.cast(polars.String)
    versions = [polars.format(f"{name[0]}{{}}-{salt}", number).alias(name) for name in ("audio", "frames")]
    return polars.select(number=polars.int_range(0, ROWS, each)).select(
        id="s" + text.str.zfill(10),
        path="s3://bucket/videos/" + text + ".mp4",
        size=number * 7919 % 1_000_003,
        metaxy_provenance_by_field=polars.struct(versions),
    )


def store():
    lake = {
        "catalog": {"type": "sqlite", "uri": f"sqlite:{FOLDER}/meta.sqlite"},
        "storage": {"type": "local", "path": f"{FOLDER}/data"},
    }
    return DuckDBMetadataStore(
        ":memory:",
        config={"extension_directory": EXTENSIONS},
        hash_algorithm=HashAlgorithm.MD5,
        ducklake=DuckLakeConfig.model_validate(lake),
        auto_create_tables=True,
    )


def resolve(store, name, expected):
    increment = step(name, lambda: store.resolve_update("bench/child"))
    assert [len(increment.new), len(increment.stale), len(increment.orphaned)] == expected
    return increment


def main():
    MetaxyConfig.set(MetaxyConfig(project="bench", auto_create_tables=True))
    rows, changed = samples(1, "0"), samples(100, "1")
    lake = store()
    opened = lake.open("w")
    step("open, create the lake", opened.__enter__)
    step("write root", lambda: lake.write(Root, rows))
    del rows
    assert len(step("read root", lambda: lake.read(Root).collect())) == ROWS
    increment = resolve(lake, "resolve, all new", [ROWS, 0, 0])
    step("write child", lambda: lake.write(Child, increment.new))
    del increment
    resolve(lake, "resolve, no change", [0, 0, 0])
    step("write root, 1 %", lambda: lake.write(Root, changed))
    increment = resolve(lake, "resolve, 1 % stale", [0, len(changed), 0])
    step("write child, 1 %", lambda: lake.write(Child, increment.stale))
    assert len(step("read child", lambda: lake.read(Child).collect())) == ROWS
    opened.__exit__(None, None, None)


main()
