"""motion_score.py BOOTSTRAP_SERVERS [TOPIC [RESULTS]]: how much each picture differs from the one before, exactly once."""

import json
import logging
import os
import signal
import sys
from itertools import pairwise

import numpy as np
from confluent_kafka import KafkaError, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from kvs_connect import FragmentConsumer, batched, decode_frames


def main(bootstrap_servers: str, topic: str = "kvs.fragments", results: str = "kvs.motion") -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    error = admin.create_topics([NewTopic(results, 6)])[results].exception()
    if error is not None and error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
        raise error
    # Of several that share the streams, each needs a name of its own, which it keeps when it is started again.
    producer = Producer({"bootstrap.servers": bootstrap_servers, "transactional.id": os.getenv("TRANSACTIONAL_ID", "motion-score-1")})
    producer.init_transactions(60)
    registry = os.getenv("SCHEMA_REGISTRY_URL")
    with FragmentConsumer(topic, bootstrap_servers, group_id="motion-score", schema_registry=registry) as consumer:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, lambda *_: consumer.stop())
        for fragments in batched(consumer, 50, max_wait_s=1):
            with consumer.transaction(producer):
                for fragment in fragments:
                    for before, frame in pairwise(decode_frames([fragment], "gray", on_error=logging.warning)):
                        score = float(np.abs(frame.image[::4, ::4].astype(np.int16) - before.image[::4, ::4]).mean())
                        value = {"fragment": fragment.number, "utc": str(frame.utc), "score": round(score, 3)}
                        producer.produce(results, key=frame.stream, value=json.dumps(value))


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) in (2, 3, 4) and sys.argv[1][0] != "-" else sys.exit(f"usage: {__doc__}")
