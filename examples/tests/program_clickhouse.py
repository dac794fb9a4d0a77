"""Runs clickhouse/tables.sql and queries.sql in ClickHouse as a library, and prints the rows of each query as JSON.

Its Kafka engine complains when its table is created, which a server does not, and reads the topic all the same.

    program_clickhouse.py FOLDER BOOTSTRAP_SERVERS SCHEMA_REGISTRY_URL COUNT
"""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path

from chdb.session import Session

WAIT_S = 200


def statements(file: Path) -> list[str]:
    text = re.sub(r"--.*", "", file.read_text("utf-8"))
    return [one.strip() for one in text.split(";") if one.strip()]


def main(folder: str, bootstrap_servers: str, registry: str, count: str) -> None:
    session = Session()
    queue, *others = statements(Path(folder, "tables.sql"))
    for example, real in (("127.0.0.1:9092", bootstrap_servers), ("http://127.0.0.1:8081/apis/ccompat/v7", registry)):
        assert example in queue, queue
        queue = queue.replace(example, real)
    try:
        session.query(queue)
    except RuntimeError as error:
        if "Shutdown was called" not in str(error):
            raise
    for one in others:
        session.query(one)
    until = time.monotonic() + WAIT_S
    while int(str(session.query("SELECT count() FROM kvs_metadata FINAL"))) < int(count):
        assert time.monotonic() < until, f"less than {count} rows in {WAIT_S} s"
        time.sleep(0.2)
    # What ClickHouse reads twice after a crash is kept once.
    session.query("INSERT INTO kvs_metadata SELECT * FROM kvs_metadata")
    rows = [json.loads(str(session.query(one, "JSON")))["data"] for one in statements(Path(folder, "queries.sql"))]
    print(json.dumps(rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
