"""Reads single objects with fastavro, and asks DuckDB and SQLite.

SCHEMA VALUE prints the fields; order QUERY NUMBER… prints fragment numbers as the query orders them; query QUERY prints the
rows that DuckDB returns.
"""

import hashlib
import io
import json
import sqlite3
import sys

import duckdb
import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form


def text(value):
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    if isinstance(value, list):
        return f"{len(value)} items"
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value)


def read(schema_file, value_file):
    with open(schema_file, encoding="utf-8") as file:
        schema = json.load(file)
    with open(value_file, "rb") as file:
        value = file.read()
    computed = fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO")
    print("fingerprint", computed)
    assert value[:2] == b"\xc3\x01", value[:2]
    assert value[2:10].hex() == computed, value[2:10].hex()
    datum = io.BytesIO(value[10:])
    found = fastavro.schemaless_reader(datum, fastavro.parse_schema(schema), None)
    assert datum.read() == b"", "bytes are left over"
    if isinstance(found, dict):
        for name, value in found.items():
            print(name, text(value))
        for track in found.get("tracks", []):
            for name, value in track.items():
                print("track", name, text(value))
    else:
        print("value", found)


def order(query, numbers):
    for database in (duckdb.connect(), sqlite3.connect(":memory:")):
        database.execute("CREATE TABLE fragments (fragment_number VARCHAR)")
        for number in numbers:
            database.execute("INSERT INTO fragments VALUES (?)", [number])
        print(*[row[0] for row in database.execute(query).fetchall()])


def query(text):
    for row in duckdb.connect().execute(text).fetchall():
        print(*row)


if sys.argv[1] == "order":
    order(sys.argv[2], sys.argv[3:])
elif sys.argv[1] == "query":
    query(sys.argv[2])
else:
    read(*sys.argv[1:])
