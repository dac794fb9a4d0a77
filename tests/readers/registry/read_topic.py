"""Reads a topic to its end, with confluent-kafka's AvroDeserializer and by hand with fastavro: EXAMPLE BY-HAND TOPIC.

Both are Python from docs/RECORDS.md. The first makes `consumer` and `read`, which returns a message's key and value; the
second makes `decode`, which returns the value of some bytes. Prints a JSON value a record, for each of the two.
"""

import hashlib
import json
import sys

import confluent_kafka
from confluent_kafka import KafkaError


def millis(value):
    # AvroDeserializer and fastavro return times as datetimes.
    return None if value is None else round(value.timestamp() * 1000)


def shown(topic, key, value):
    names = ("kind", "connector", "stream_name", "fragment_number", "sequence", "size_bytes")
    row = {name: value[name] for name in names if name in value}
    row |= {name: millis(value[name]) for name in ("server_timestamp", "producer_timestamp") if name in value}
    if "frames" in value:
        row["frames"] = len(value["frames"])
    if "payload" in value:
        row["payload_sha256"] = hashlib.sha256(value["payload"]).hexdigest()
    return json.dumps({"topic": topic, "key": key, **row})


class ToTheEnd(confluent_kafka.Consumer):
    """A consumer that says when a partition has been read to its end, which a program that runs forever does not need."""

    def __init__(self, settings):
        super().__init__(settings | {"enable.partition.eof": True})


def messages(consumer):
    ended = set()
    while True:
        message = consumer.poll(60)
        assert message is not None, "nothing comes"
        if message.error() is None:
            yield message
            continue
        assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
        ended.add((message.topic(), message.partition()))
        if len(ended) == len(consumer.assignment()):
            return


def main(example, by_hand):
    confluent_kafka.Consumer = ToTheEnd
    names = {}
    for file in (example, by_hand):
        with open(file, encoding="utf-8") as source:
            exec(compile(source.read(), file, "exec"), names)
    consumer, read, decode = names["consumer"], names["read"], names["decode"]
    for message in messages(consumer):
        key, value = read(message)
        print("confluent", shown(message.topic(), key, value))
        # A notification's key is text.
        raw = message.key()
        key = decode(raw) if raw[:1] == b"\0" else raw.decode()
        print("fastavro", shown(message.topic(), key, decode(message.value())))
    consumer.close()


main(*sys.argv[1:])
