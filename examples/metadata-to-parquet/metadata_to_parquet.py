"""metadata_to_parquet.py BOOTSTRAP_SERVERS FOLDER: writes the metadata of fragments as Parquet files, each row exactly once."""

import os
import signal
import sys
from operator import attrgetter
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from kvs_connect import FragmentConsumer, batched

TEXT, NUMBER, UTC = pa.string(), pa.int64(), pa.timestamp("us", "UTC")
SCHEMA = pa.schema({"stream_name": TEXT, "fragment_number": TEXT, "sequence": NUMBER, "server_timestamp": UTC, "producer_timestamp": UTC,
                    "duration_ns": NUMBER, "size_bytes": NUMBER, "discontinuity": pa.bool_()})  # fmt: skip
VALUES = attrgetter("stream", "number", "sequence", "server_utc", "producer_utc", "duration_ns", "size_bytes", "discontinuity")


def main(bootstrap_servers: str, folder: str) -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    registry = os.environ.get("SCHEMA_REGISTRY_URL")
    with FragmentConsumer("kvs.metadata", bootstrap_servers, group_id="metadata-to-parquet", schema_registry=registry) as consumer:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, lambda *_: consumer.stop())
        for batch in batched(consumer, 10_000, max_wait_s=10):
            for partition in {fragment.position[:2] for fragment in batch}:
                fragments = [fragment for fragment in batch if fragment.position[:2] == partition]
                # A batch that comes again after a crash begins at the same offset, and replaces its file.
                path = Path(folder, f"{partition[0]}-{partition[1]}-{fragments[0].position.offset:012}.parquet")
                table = pa.Table.from_pylist([dict(zip(SCHEMA.names, VALUES(fragment))) for fragment in fragments], SCHEMA)
                parquet.write_table(table, path.with_suffix(".part"))
                os.replace(path.with_suffix(".part"), path)
            consumer.commit()


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) == 3 else sys.exit(__doc__)
