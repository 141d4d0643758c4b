"""Lets Python Metaxy open its stores with the extensions that are there.

It installs every extension from DuckDB's own server when it opens a store. Here they are loaded only, by the store's
`extension_directory`. `hashfuncs` is in no package: md5 needs nothing of it, and `hashes.py` has its functions.
"""

from metaxy.ext.duckdb import DuckDBMetadataStore

CATALOGS = {"sqlite": ["sqlite_scanner"], "postgres": ["postgres_scanner"]}


def load_only(store):
    connection = store._duckdb_raw_connection()
    attachment = store._ducklake_attachment
    # A store without a lake needs none.
    for name in ["ducklake", *CATALOGS.get(attachment._config.catalog.type, [])] if attachment else []:
        connection.load_extension(name)


DuckDBMetadataStore._load_extensions = load_only
