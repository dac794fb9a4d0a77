"""frames_to_jpeg.py BOOTSTRAP_SERVERS FOLDER [TOPIC]: each key frame of all streams as FOLDER/STREAM/TIME-SEQUENCE-INDEX.jpg."""

import logging
import os
import signal
import sys
from pathlib import Path

from PIL import Image

from kvs_connect import FragmentConsumer, KvsConnectError, MediaError


def skip(error: KvsConnectError) -> None:
    """Goes on after what cannot be decoded. Any other error ends the program."""
    if not isinstance(error, MediaError):
        raise error
    logging.warning("skipped: %s", error)


def main(bootstrap_servers: str, folder: str, topic: str = "kvs.fragments") -> None:
    registry = os.environ.get("SCHEMA_REGISTRY_URL")
    with FragmentConsumer(topic, bootstrap_servers, group_id="frames-to-jpeg", schema_registry=registry, on_error=skip) as consumer:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, lambda *_: consumer.stop())
        for frame in consumer.frames("rgb24", keyframes_only=True):
            time = f"{frame.utc:%Y%m%dT%H%M%S.%fZ}" if frame.utc else "unknown"
            # A frame that comes again after a crash has the same name, and replaces itself.
            path = Path(folder, frame.stream, f"{time}-{frame.sequence}-{frame.index}.jpg")
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            Image.fromarray(frame.image).save(part, "JPEG", quality=90)
            os.replace(part, path)


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) in (3, 4) and sys.argv[1][0] != "-" else sys.exit(f"usage: {__doc__}")
