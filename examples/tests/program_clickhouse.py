"""Runs clickhouse/tables.sql and queries.sql in ClickHouse as a library, and prints the rows of each query as JSON.

Its Kafka engine does not run there, so that the values of the topic come from a file, through a table with the same columns.

    program_clickhouse.py FOLDER VALUES_FILE SCHEMA_REGISTRY_URL
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from chdb.session import Session


def statements(file: Path) -> list[str]:
    text = re.sub(r"--.*", "", file.read_text("utf-8"))
    return [one.strip() for one in text.split(";") if one.strip()]


def main(folder: str, values: str, registry: str) -> None:
    session = Session()
    queue, *others = statements(Path(folder, "tables.sql"))
    columns, settings = queue.split("\nENGINE = Kafka\n")
    assert "kafka_format = 'AvroConfluent'" in settings, settings
    session.query(f"{columns} ENGINE = Null")
    file = f"ENGINE = File(AvroConfluent, '{values}') SETTINGS format_avro_schema_registry_url = '{registry}'"
    session.query(f"{columns.replace('kvs_metadata_queue', 'kvs_metadata_values')} {file}")
    for one in others:
        session.query(one)
    # What ClickHouse reads twice after a crash.
    for _ in range(2):
        session.query("INSERT INTO kvs_metadata_queue SELECT * FROM kvs_metadata_values")
    rows = [json.loads(str(session.query(one, "JSON")))["data"] for one in statements(Path(folder, "queries.sql"))]
    print(json.dumps(rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
