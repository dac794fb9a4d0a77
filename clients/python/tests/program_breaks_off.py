"""A program that a test runs: leaves frames in the middle, and ends, while the threads of three decoders have more to do.

Argument: bootstrap servers.
"""

from __future__ import annotations

import sys
from itertools import islice

from kvs_connect import FragmentConsumer, decode_frames

with FragmentConsumer("plain.fragments", sys.argv[1], streams="clip", until_end=True) as consumer:
    fragments = list(consumer)
runs = [decode_frames(fragments, "gray", threads=3) for _ in range(3)]
print(*(len(list(islice(run, 20))) for run in runs))
