//! A DuckLake lake, and the exact SQL that attaches it: pure, without DuckDB.
