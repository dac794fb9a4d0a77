"""Settings of Kafka's client, and what its errors mean.

**Contract.** `client_settings` returns settings that read committed records only and commit nothing by themselves, or raises a
`ConfigurationError` where the caller's contradict that. `find_topics` raises an error that says which topic is missing, which
access is denied, or that no broker responds in time.
"""

from __future__ import annotations

import difflib
import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException

from kvs_connect.arguments import check_mapping
from kvs_connect.errors import (
    AccessDeniedError,
    BrokerUnreachableError,
    ConfigurationError,
    KafkaFailedError,
    KvsConnectError,
    TopicMissingError,
)

__all__ = ["OnceInAWhile", "ask", "client_settings", "failure_of", "find_topics", "kafka_logger", "poll_interval_s"]

T = TypeVar("T")

Topics = str | Sequence[str] | re.Pattern[str]

_OURS = {
    "isolation.level": ("read_committed", "records of aborted transactions are not fragments"),
    "enable.auto.commit": (False, "offsets are committed when you have finished with what was read"),
    "enable.auto.offset.store": (False, "offsets are committed when you have finished with what was read"),
    "bootstrap.servers": (None, "it is the argument bootstrap_servers"),
    "group.id": (None, "it is the argument group_id"),
    "auto.offset.reset": (None, "it is the argument start"),
    "enable.partition.eof": (True, "it is how the end of a topic is noticed"),
    "allow.auto.create.topics": (False, "a topic that is missing is an error"),
    "error_cb": (None, "the package needs it. What it is told is in the log, and in errors"),
    "on_commit": (None, "the package needs it. What it is told is in the log, and in errors"),
}
_REPEATED_S = 10.0
_SETTLING = {
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError.OFFSET_NOT_AVAILABLE,
    KafkaError.UNSTABLE_OFFSET_COMMIT,
}
_UNREACHABLE = {
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TRANSPORT,
    KafkaError._TIMED_OUT,
    KafkaError._RESOLVE,
    KafkaError._SSL,
}


def client_settings(bootstrap_servers: str, config: Mapping[str, Any] | None) -> dict[str, Any]:
    """Returns the settings of every client of Kafka here: the caller's, and those that are not the caller's to choose."""
    check_mapping("config", config)
    for name, value in (config or {}).items():
        wanted, why = _OURS.get(name, (value, ""))
        if why and str(value).lower() != str(wanted).lower():
            raise ConfigurationError(f"{name}={value} is not possible here: {why}")
    return {
        "client.id": "kvs-connect-python",
        **(config or {}),
        "bootstrap.servers": bootstrap_servers,
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "allow.auto.create.topics": False,
        # Where an offset is no longer there, what is still there is read, and not passed over.
        "auto.offset.reset": "earliest",
    }


def poll_interval_s(settings: Mapping[str, Any]) -> float:
    """Returns after how long without a call a consumer is no member of its group any more."""
    interval_ms = settings.get("max.poll.interval.ms", 300_000)
    try:
        return float(interval_ms) / 1000
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"max.poll.interval.ms={interval_ms!r} in config has to be a number") from error


def failure_of(error: KafkaError, what: str) -> KvsConnectError:
    """Returns the exception for an error of Kafka's that `what` has met."""
    code, text = error.code(), error.str()
    if code == KafkaError.TOPIC_AUTHORIZATION_FAILED:
        return AccessDeniedError("the", what, "this user needs the operations READ and DESCRIBE on it")
    if code == KafkaError.GROUP_AUTHORIZATION_FAILED:
        return AccessDeniedError("the", what, "this user needs the operation READ on the consumer group")
    if code in (KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED):
        return AccessDeniedError("the", what, text)
    if code in (KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED):
        return AccessDeniedError("the", what, f"{text}: check sasl.username, sasl.password and sasl.mechanism in config")
    if code in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC):
        return TopicMissingError(what.removeprefix("topic "), [])
    return KafkaFailedError(what, code, text)


_TOOK = re.compile(r"\(after \d+ms [^)]*\)")


class OnceInAWhile(logging.Filter):
    """Lets a line through once in ten seconds: the client says the same at each attempt to connect."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Returns whether the line has not been said just now."""
        # How long an attempt took is another time each time.
        now, line = time.monotonic(), _TOOK.sub("", record.getMessage())
        if now - self._said.get(line, -_REPEATED_S) < _REPEATED_S:
            return False
        self._said = {known: at for known, at in self._said.items() if now - at < _REPEATED_S}
        self._said[line] = now
        return True


kafka_logger = logging.getLogger("kvs_connect.kafka")
kafka_logger.addFilter(OnceInAWhile())


def ask(call: Callable[[], T], what: str, timeout_s: float) -> T:
    """Returns what a broker answers, asked again for this long while it cannot: a topic that is new has no leader yet."""
    until = time.monotonic() + timeout_s
    while True:
        try:
            answer = call()
            # Some answers have an error for each partition.
            for one in answer if isinstance(answer, list) else ():
                if one.error is not None:
                    raise KafkaException(one.error)
            return answer
        except KafkaException as exception:
            error = exception.args[0]
            if time.monotonic() >= until or not (error.retriable() or error.code() in _SETTLING | _UNREACHABLE):
                raise failure_of(error, what) from exception
        time.sleep(0.1)


def find_topics(
    consumer: Consumer, topics: Topics, bootstrap_servers: str, timeout_s: float, last_error: list[KafkaError]
) -> dict[str, list[int]]:
    """Returns the topics that are meant, each with its partitions.

    `last_error` is where the client's callback has put what went wrong on the way to the brokers.
    """
    try:
        known = consumer.list_topics(timeout=timeout_s).topics
    except KafkaException as exception:
        error = exception.args[0]
        # That no broker responds has a cause, which the callback is told when it is asked to be.
        consumer.poll(0)
        cause = last_error[-1] if last_error else error
        if cause.code() in (KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED):
            raise failure_of(cause, f"Kafka at {bootstrap_servers}") from exception
        if error.code() in _UNREACHABLE:
            raise BrokerUnreachableError(bootstrap_servers, timeout_s, cause.str()) from exception
        raise failure_of(error, f"Kafka at {bootstrap_servers}") from exception
    if isinstance(topics, re.Pattern):
        found = {name: sorted(topic.partitions) for name, topic in known.items() if topics.fullmatch(name)}
        if not found:
            raise TopicMissingError(f"that matches {topics.pattern}", sorted(known)[:10])
        return found
    names = [topics] if isinstance(topics, str) else list(topics)
    found = {}
    for name in names:
        topic = known.get(name)
        if topic is None:
            # One that may not be described is not listed; asked for by its name, the broker says which it is.
            topic = consumer.list_topics(name, timeout=timeout_s).topics[name]
        if topic.error is not None:
            failure = failure_of(topic.error, f"topic {name}")
            if isinstance(failure, TopicMissingError):
                raise TopicMissingError(name, difflib.get_close_matches(name, known, n=5, cutoff=0.5))
            raise failure
        found[name] = sorted(topic.partitions)
    return found
