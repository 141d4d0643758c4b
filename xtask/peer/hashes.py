"""The functions of the extension `hashfuncs`, which is in no package: those of the library behind polars_hash.

They work on whole columns of Arrow, so that DuckDB calls them once for some thousands of rows.
"""

import offline  # noqa: F401 (loads what is there, before the functions are added)
import polars
import polars_hash
from metaxy.ext.duckdb import DuckDBMetadataStore

HASHES = {"xxh32": ("xxhash32", "UINTEGER"), "xxh64": ("xxhash64", "UBIGINT"), "xxh3_64": ("xxh3_64", "UBIGINT")}


def load_with_hashes(store, load=DuckDBMetadataStore._load_extensions):
    load(store)
    connection = store._duckdb_raw_connection()
    for name, (hasher, returned) in HASHES.items():
        connection.create_function(name, hash_function(hasher), ["VARCHAR"], returned, type="arrow")


def hash_function(hasher):
    def hashed(texts):
        column = polars.from_arrow(texts).alias("text").to_frame()
        return column.select(getattr(polars_hash.col("text").nchash, hasher)())["text"].to_arrow()

    return hashed


DuckDBMetadataStore._load_extensions = load_with_hashes
