"""A program that tests kill: copies the number of each fragment to a topic, exactly once.

Arguments: bootstrap servers, topic, group, topic of the results, a file that gets a line for each fragment that is done.
"""

from __future__ import annotations

import sys
import time

from confluent_kafka import Producer

from kvs_connect import FragmentConsumer

bootstrap, topic, group, results, progress = sys.argv[1:]
producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": group, "linger.ms": 0})
producer.init_transactions(60)
settings = {"session.timeout.ms": 3000, "heartbeat.interval.ms": 500}
with (
    open(progress, "a") as done,
    FragmentConsumer(topic, bootstrap, group_id=group, config=settings, idle_timeout_s=60) as consumer,
):
    for fragment in consumer:
        with consumer.transaction(producer):
            producer.produce(results, f"{fragment.stream} {fragment.number}")
            producer.flush()
            # It is killed in the midst of a transaction.
            time.sleep(0.03)
        done.write("done\n")
        done.flush()
