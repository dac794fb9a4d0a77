"""A program that tests kill: appends the number of each fragment that it has finished with to a file.

Arguments: bootstrap servers, topic, group, file, how: `fragments` or `pictures`.
"""

from __future__ import annotations

import os
import sys
import time

from kvs_connect import FragmentConsumer

bootstrap, topic, group, file, how = sys.argv[1:]
consumer = FragmentConsumer(
    topic,
    bootstrap,
    group_id=group,
    config={"session.timeout.ms": 3000, "heartbeat.interval.ms": 500},
    streams=None if how == "fragments" else "many-0",
    idle_timeout_s=60,
    commit_interval_s=0.05,
)
with open(file, "a") as output, consumer:

    def append(line: str) -> None:
        # What a program does takes its time: it is killed in the midst of it.
        time.sleep(0.04 if how == "fragments" else 0.01)
        output.write(line + "\n")
        output.flush()
        os.fsync(output.fileno())

    if how == "fragments":
        for fragment in consumer:
            append(f"{fragment.stream} {fragment.number}")
    else:
        for frame in consumer.frames("gray", flush_after_s=1):
            append(f"{frame.stream} {frame.fragment_number} {frame.index}")
