"""detector.py BOOTSTRAP_SERVERS [TOPIC]: a picture a second of every stream, in batches over all streams, to a stub of a model."""

import json
import logging
import os
import signal
import sys
from datetime import timedelta

import numpy as np

from kvs_connect import FragmentConsumer, KvsConnectError, MediaError, batched


def detect(images: list[np.ndarray]) -> list[dict[str, float]]:
    """Stands for a model: takes images of height × width × 3, and returns what it has found in each."""
    return [{"brightness": round(float(image.mean()), 1)} for image in images]


def skip(error: KvsConnectError) -> None:
    """Goes on after what cannot be decoded. Any other error ends the program."""
    if not isinstance(error, MediaError):
        raise error
    logging.warning("skipped: %s", error)


def main(bootstrap_servers: str, topic: str = "kvs.fragments") -> None:
    registry = os.environ.get("SCHEMA_REGISTRY_URL")
    with FragmentConsumer(topic, bootstrap_servers, group_id="detector", schema_registry=registry, on_error=skip) as consumer:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, lambda *_: consumer.stop())
        # A batch goes to the model when it is full, or when its first picture has waited for half a second.
        for frames in batched(consumer.frames("rgb24", every=timedelta(seconds=1)), 32, max_wait_s=0.5):
            for frame, found in zip(frames, detect([frame.image for frame in frames])):
                print(json.dumps({"stream": frame.stream, "utc": str(frame.utc), "batch": len(frames), **found}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) in (2, 3) and sys.argv[1][0] != "-" else sys.exit(f"usage: {__doc__}")
