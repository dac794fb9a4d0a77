"""metadata_to_parquet.py BOOTSTRAP_SERVERS FOLDER [TOPIC]: the metadata of all fragments as Parquet files, each row exactly once."""

import os
import signal
import sys
from pathlib import Path

import pyarrow.parquet

from kvs_connect import Fragment, FragmentConsumer, batched

TEXT, NUMBER, UTC = pyarrow.string(), pyarrow.int64(), pyarrow.timestamp("ms", "UTC")
SCHEMA = pyarrow.schema({"stream_name": TEXT, "fragment_number": TEXT, "sequence": NUMBER, "frames": NUMBER, "duration_ns": NUMBER,
    "size_bytes": NUMBER, "producer_timestamp": UTC, "server_timestamp": UTC, "published_timestamp": UTC})  # fmt: skip


def row(one: Fragment) -> dict[str, object]:
    values = one.stream, one.number, one.sequence, len(one.index), one.duration_ns, one.size_bytes
    return dict(zip(SCHEMA.names, (*values, one.producer_utc, one.server_utc, one.record_timestamp_ms)))


def main(bootstrap_servers: str, folder: str, topic: str = "kvs.metadata") -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    registry = os.environ.get("SCHEMA_REGISTRY_URL")
    with FragmentConsumer(topic, bootstrap_servers, group_id="metadata-to-parquet", schema_registry=registry) as consumer:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, lambda *_: consumer.stop())
        for batch in batched(consumer, 10_000, max_wait_s=10):
            for partition in {one.position.partition for one in batch}:
                rows = [one for one in batch if one.position.partition == partition]
                # A batch that comes again after a crash begins at the same offset, and replaces its file.
                path = Path(folder, f"{topic}-{partition}-{rows[0].position.offset:012}.parquet")
                pyarrow.parquet.write_table(pyarrow.Table.from_pylist([row(one) for one in rows], SCHEMA), path.with_suffix(".part"))
                os.replace(path.with_suffix(".part"), path)
            consumer.commit()  # Only the last batch can come again.


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) in (3, 4) and sys.argv[1][0] != "-" else sys.exit(f"usage: {__doc__}")
