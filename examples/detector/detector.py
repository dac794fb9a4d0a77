"""detector.py BOOTSTRAP_SERVERS [TOPIC]: a picture a second of every stream, in batches over all streams, to a stub of a model."""

import json
import os
import signal
import sys
from datetime import timedelta

import numpy as np
from PIL import Image

from kvs_connect import FragmentConsumer, batched

BATCH, SIZE = 32, (320, 320)


def detect(images: np.ndarray) -> list[dict[str, float]]:
    """Stands for a model: takes images × height × width × 3, and returns what it has found in each."""
    return [{"brightness": round(float(image.mean()), 1)} for image in images]


def main(bootstrap_servers: str, topic: str = "kvs.fragments") -> None:
    registry = os.environ.get("SCHEMA_REGISTRY_URL")
    with FragmentConsumer(topic, bootstrap_servers, group_id="detector", schema_registry=registry) as consumer:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, lambda *_: consumer.stop())
        # A batch goes to the model when it is full, or when its first picture has waited for half a second.
        for frames in batched(consumer.frames("rgb24", every=timedelta(seconds=1)), BATCH, max_wait_s=0.5):
            images = np.stack([np.asarray(Image.fromarray(frame.image).resize(SIZE)) for frame in frames])
            for frame, found in zip(frames, detect(images)):
                print(json.dumps({"stream": frame.stream, "utc": str(frame.utc), "batch": len(frames), **found}), flush=True)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(f"usage: {__doc__}")
    main(*sys.argv[1:])
