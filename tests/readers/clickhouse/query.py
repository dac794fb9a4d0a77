"""Runs a query in ClickHouse, as the library chdb, and prints a JSON value a row: QUERY."""

import sys

import chdb

print(chdb.query(sys.argv[1], "JSONEachRow"), end="")
