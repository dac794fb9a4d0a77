"""Errors that say what to do, and waiting that says what for."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from confluent_kafka import KafkaError, Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from conftest import Published
from stack import free_port, wait_for

from kvs_connect import (
    AccessDeniedError,
    BrokerUnreachableError,
    ConfigurationError,
    FragmentConsumer,
    KafkaFailedError,
    NotARecordError,
    PayloadAbsentError,
    RecordError,
    RegistryNeededError,
    TopicMissingError,
    UnknownSchemaError,
    batched,
    silence,
)
from kvs_connect.connection import OnceInAWhile, failure_of


def test_a_topic_that_is_not_there(published: Published) -> None:
    with pytest.raises(TopicMissingError, match=r"plain\.fragments") as raised:
        FragmentConsumer("plain.fragment", published.bootstrap)
    assert "plain.fragments" in raised.value.similar
    import re

    with pytest.raises(TopicMissingError, match="matches nothing"):
        FragmentConsumer(re.compile("nothing.*"), published.bootstrap)


def deny(published: Published, kind: ResourceType, name: str, operation: AclOperation) -> None:
    admin = AdminClient({"bootstrap.servers": published.bootstrap})
    for permission, what in ((AclPermissionType.ALLOW, AclOperation.ALL), (AclPermissionType.DENY, operation)):
        rule = AclBinding(kind, name, ResourcePatternType.LITERAL, "User:ANONYMOUS", "*", what, permission)
        for future in admin.create_acls([rule]).values():
            future.result(60)


@pytest.mark.parametrize("operation", [AclOperation.DESCRIBE, AclOperation.READ])
def test_a_topic_that_must_not_be_read(
    published: Published, name: str, create_topic: Callable[[str, int], None], operation: AclOperation
) -> None:
    create_topic(name, 1)
    deny(published, ResourceType.TOPIC, name, operation)

    def is_denied() -> bool:
        # The broker learns of a rule a little later.
        try:
            with FragmentConsumer(name, published.bootstrap) as consumer:
                consumer.take(0.5)
        except AccessDeniedError as error:
            assert name in str(error)
            assert "READ" in error.needed
            return True
        return False

    wait_for("a refusal", is_denied)


def test_a_group_that_must_not_be_used(published: Published, name: str) -> None:
    deny(published, ResourceType.GROUP, name, AclOperation.READ)

    def is_denied() -> bool:
        try:
            with FragmentConsumer("plain.fragments", published.bootstrap, group_id=name) as consumer:
                consumer.take(5)
        except AccessDeniedError as error:
            assert name in str(error)
            return True
        return False

    wait_for("a refusal", is_denied)


def test_a_broker_that_is_not_there() -> None:
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(BrokerUnreachableError, match=r"advertised\.listeners") as raised:
        FragmentConsumer("x", address, connect_timeout_s=2)
    assert raised.value.bootstrap_servers == address
    assert "refused" in raised.value.reason


def test_values_of_others(published: Published, name: str, create_topic: Callable[[str, int], None]) -> None:
    create_topic(name, 1)
    producer = Producer({"bootstrap.servers": published.bootstrap})
    values: list[tuple[bytes, type[RecordError], str]] = [
        (b"\xc3\x01" + bytes(8), UnknownSchemaError, "pip install --upgrade kvs-connect"),
        (b"\0\0\0\0\7abc", RegistryNeededError, "schema_registry=URL"),
        (b"hello, world", NotARecordError, "68 65 6c"),
        (b"{}", NotARecordError, "other records"),
        (b"{", NotARecordError, "cannot be read"),
        (b"\xc3\x01" + bytes.fromhex("fe7f620bbf316df9") + b"\2", NotARecordError, "cannot be read"),
        (b"", NotARecordError, "begins with nothing"),
    ]
    for value, _, _ in values:
        producer.produce(name, value)
    producer.flush(60)
    seen: list[Any] = []
    with FragmentConsumer(name, published.bootstrap, until_end=True, on_error=seen.append) as consumer:
        assert list(consumer) == []
    for (_, kind, text), error, offset in zip(values, seen, range(len(values)), strict=True):
        assert isinstance(error, kind)
        assert text in str(error)
        assert (error.topic, error.partition, error.offset) == (name, 0, offset)
    with FragmentConsumer(name, published.bootstrap, until_end=True) as consumer:
        with pytest.raises(UnknownSchemaError) as raised:
            next(consumer)
    assert raised.value.fingerprint == "00" * 8


def test_a_record_that_is_skipped_is_reported(
    published: Published, name: str, create_topic: Callable[[str, int], None], caplog: pytest.LogCaptureFixture
) -> None:
    create_topic(name, 1)
    producer = Producer({"bootstrap.servers": published.bootstrap})
    producer.produce(name, b"hello")
    producer.flush(60)
    with FragmentConsumer(name, published.bootstrap, group_id=name, until_end=True, on_error="skip") as consumer:
        assert list(consumer) == []
    assert f"skipped: {name}, partition 0, offset 0" in caplog.text


def test_media_that_were_left_out(published: Published) -> None:
    with FragmentConsumer("plain.fragments", published.bootstrap, streams="clip", until_end=True) as consumer:
        fragment = next(consumer)
        fragment.payload_mode, fragment._media = "none", None
        with pytest.raises(PayloadAbsentError, match=r"payload\.mode=none") as raised:
            _ = fragment.payload
        assert (raised.value.stream, raised.value.number) == ("clip", fragment.number)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"config": {"isolation.level": "read_uncommitted"}}, "aborted transactions"),
        ({"config": {"enable.auto.commit": True}}, "finished"),
        ({"config": {"group.id": "x"}}, "argument group_id"),
        ({"config": {"auto.offset.reset": "latest"}}, "argument start"),
        ({"start": datetime(2026, 1, 1)}, "time zone"),
        ({"start": "newest"}, "none of 'earliest'"),
        ({"group_id": "x", "partitions": [0]}, "chosen by the group"),
        ({"store_options": {"endpoint": "x"}}, "client_options"),
        ({"schema_registry": 7}, "SchemaRegistryClient"),
        ({"streams": 5}, "streams=5"),
        ({"streams": [5]}, "function that is given a name"),
        ({"idle_timeout_s": "5"}, "idle_timeout_s='5' has to be a number of seconds above 0, or None"),
        ({"idle_timeout_s": -1}, "idle_timeout_s=-1"),
        ({"connect_timeout_s": None}, "connect_timeout_s=None"),
        ({"commit_interval_s": float("nan")}, "commit_interval_s=nan"),
        ({"config": {"session.timeout": 1}}, "refuses the settings.*session.timeout"),
        ({"on_error": "ignore"}, "none of 'raise', 'skip'"),
    ],
)
def test_arguments_that_cannot_be(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        FragmentConsumer("x", "127.0.0.1:1", **arguments)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"every": 1.5}, "every=1.5 has to be a whole number"),
        ({"every": "2"}, "every='2'"),
        ({"every": True}, "every=True"),
        ({"every": 0}, "at least 1"),
        ({"every": timedelta(0)}, "or a timedelta"),
        ({"threads": 1.5}, "threads=1.5"),
        ({"decode": "rgba"}, "'rgb24', 'bgr24'"),
        ({"audio": "int32"}, "'float32', 'int16'"),
        ({"flush_after_s": None}, "flush_after_s=None"),
    ],
)
def test_frames_that_cannot_be(published: Published, arguments: dict[str, Any], text: str) -> None:
    with FragmentConsumer("plain.fragments", published.bootstrap, until_end=True, streams="clip") as consumer:
        before = consumer.frames()
        next(before)
        with pytest.raises(ConfigurationError, match=text):
            consumer.frames(**arguments)
        # It has not ended the loop that there is.
        assert len(list(before)) == 6 * 8 - 1
    with pytest.raises(ConfigurationError, match="closed"):
        consumer.frames()
    with pytest.raises(ConfigurationError, match="closed"):
        consumer.offsets()


@pytest.mark.parametrize("arguments", [{"size": 0}, {"size": 1.5}, {"size": 2, "max_wait_s": -1}, {"size": 2, "max_wait_s": "1"}])
def test_batches_that_cannot_be(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="has to be a"):
        batched([1, 2, 3], **arguments)


def test_what_an_attempt_took_makes_no_line_another_one() -> None:
    def passes(text: str) -> bool:
        return bool(once.filter(logging.LogRecord("kafka", logging.ERROR, "", 0, text, None, None)))

    once = OnceInAWhile()
    assert passes("x:9092: Failed to resolve (after 3ms in state CONNECT)")
    assert not passes("x:9092: Failed to resolve (after 12ms in state CONNECT)")
    assert passes("y:9092: Failed to resolve (after 12ms in state CONNECT)")


@pytest.mark.parametrize(
    ("code", "kind", "text"),
    [
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, AccessDeniedError, "READ and DESCRIBE"),
        (KafkaError.GROUP_AUTHORIZATION_FAILED, AccessDeniedError, "READ on the consumer group"),
        (KafkaError._AUTHENTICATION, AccessDeniedError, r"sasl\.username"),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, TopicMissingError, "there is no topic x"),
        (KafkaError.INVALID_REQUEST, KafkaFailedError, "Kafka's error 42"),
    ],
)
def test_kafkas_errors_have_meanings(code: int, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        raise failure_of(KafkaError(code), "topic x")


def test_waiting_is_said(published: Published, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silence, "QUIET_AFTER_S", 0.5)
    with caplog.at_level(logging.WARNING, "kvs_connect"):
        with FragmentConsumer("plain.fragments", published.bootstrap, start="latest") as consumer:

            def is_said() -> bool:
                consumer.take(0.2)
                return "all records have been read" in caplog.text

            wait_for("a line in the log", is_said)
