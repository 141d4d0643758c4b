"""Makes a small lake of an older format, its catalog as statements: `python make.py FOLDER {duckdb,sqlite,postgres LOGIN}`.

It was run with `duckdb`, `duckdb-extension-ducklake`, `-sqlite-scanner` and `-postgres-scanner` of 1.3.2 (format 0.2)
and of 1.4.4 (format 0.3).
"""

import importlib
import os
import sys
from pathlib import Path

import duckdb

folder, kind, *login = sys.argv[1:]
Path(folder).mkdir(parents=True)
os.chdir(folder)
connection = duckdb.connect()
needed = {"duckdb": [], "sqlite": ["sqlite_scanner"], "postgres": ["postgres_scanner"]}[kind]
for name in ["ducklake", *needed]:
    package = Path(importlib.import_module(f"duckdb_extension_{name}").__file__).parent
    [extension] = package.glob("extensions/*/*.duckdb_extension")
    connection.execute(f"LOAD '{extension}'")
catalog = {"duckdb": "catalog.ducklake", "sqlite": "sqlite:catalog.sqlite", "postgres": f"postgres:{''.join(login)}"}[kind]
connection.execute(f"ATTACH 'ducklake:{catalog}' AS lake (DATA_PATH 'data/')")
connection.execute("USE lake")
for statement in [
    "CREATE TABLE sample (id VARCHAR, size BIGINT)",
    "INSERT INTO sample SELECT 's' || i, i FROM range(100) AS r(i)",
    "COMMENT ON TABLE sample IS 'samples of an older lake'",
    "ALTER TABLE sample ADD COLUMN tag STRUCT(name VARCHAR, since TIMESTAMP)",
    "INSERT INTO sample VALUES ('late', -1, {'name': 'it''s', 'since': TIMESTAMP '2025-01-01 12:00:00'})",
    "DELETE FROM sample WHERE size >= 90",
    "CREATE VIEW small AS SELECT id FROM lake.main.sample WHERE size < 10",
    "CREATE SCHEMA more",
    "CREATE TABLE more.part (day DATE, value DECIMAL(18, 3))",
    "ALTER TABLE more.part SET PARTITIONED BY (year(day))",
    "INSERT INTO more.part SELECT DATE '2024-12-30' + i::INTEGER, i / 8 FROM range(5) AS r(i)",
    "DROP TABLE IF EXISTS more.gone",
    "CALL ducklake_set_option('lake', 'parquet_compression', 'zstd')",
]:
    try:
        connection.execute(statement)
    except duckdb.Error as error:
        if "set_option" not in statement:
            raise
        print("not in this version:", error, file=sys.stderr)
# A DuckDB file needs 5 MB, and the tables of PostgreSQL are in none.
connection.execute("USE memory")
connection.execute("DETACH lake")
source = {"duckdb": "catalog.ducklake", "sqlite": "catalog.sqlite", "postgres": "".join(login)}[kind]
connection.execute(f"ATTACH '{source}' AS source (TYPE {kind}, READ_ONLY)")
columns = connection.execute(
    "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE database_name = 'source' AND starts_with(table_name, 'ducklake_') ORDER BY table_name, column_index"
).fetchall()
with open("catalog.sql", "w") as file:
    for table in sorted({table for table, _, _ in columns}):
        types = ", ".join(f'"{name}" {type}' for of, name, type in columns if of == table)
        file.write(f"CREATE TABLE {table} ({types});\n")
        for row in connection.execute(f"SELECT COLUMNS(*)::VARCHAR FROM source.{table}").fetchall():
            values = ["NULL" if value is None else "'" + value.replace("'", "''") + "'" for value in row]
            file.write(f"INSERT INTO {table} VALUES ({', '.join(values)});\n")
connection.execute("DETACH source")
for file in Path().glob("catalog.*"):
    if file.name != "catalog.sql":
        file.unlink()
