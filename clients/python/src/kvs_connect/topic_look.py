"""Looks at topics while they are read: partitions are added, topics are deleted.

**Contract.** `TopicLook.due` asks the brokers from time to time, and only for the topics that are read. A topic that is missing at
several looks is deleted, which is an error; whatever else goes wrong is left to the reading, which says it.
"""

from __future__ import annotations

import re
import time

from confluent_kafka import Consumer, KafkaException

from kvs_connect.connection import Topics, failure_of
from kvs_connect.errors import KvsConnectError, TopicMissingError

__all__ = ["TopicLook"]

_EVERY_S = 15.0
_TIMEOUT_S = 3.0
_MISSING_LOOKS = 2
"""A broker that has just started may not know a topic yet."""


class TopicLook:
    """When topics were looked at, and what was missing."""

    def __init__(self) -> None:
        self.every_s = _EVERY_S
        self.problem: str | None = None
        """Why the last look has told nothing."""
        self._last = time.monotonic()
        self._missing = 0

    def due(self, consumer: Consumer, topics: Topics) -> dict[str, list[int]]:
        """Returns the topics that are meant, each with its partitions, if it is time to look; nothing otherwise.

        Raises:
            TopicMissingError: a topic was deleted.
        """
        if time.monotonic() - self._last < self.every_s:
            return {}
        self._last = time.monotonic()
        try:
            found = _known(consumer, topics)
        except TopicMissingError:
            self._missing += 1
            if self._missing >= _MISSING_LOOKS:
                raise
            return {}
        except KvsConnectError as error:
            self.problem = str(error)
            return {}
        except KafkaException as exception:
            self.problem = f"the brokers do not respond: {exception.args[0].str()}"
            return {}
        self._missing, self.problem = 0, None
        return found


def _known(consumer: Consumer, topics: Topics) -> dict[str, list[int]]:
    if isinstance(topics, re.Pattern):
        known = consumer.list_topics(timeout=_TIMEOUT_S).topics
        return {name: sorted(topic.partitions) for name, topic in known.items() if topics.fullmatch(name)}
    found = {}
    for name in [topics] if isinstance(topics, str) else list(topics):
        topic = consumer.list_topics(name, timeout=_TIMEOUT_S).topics[name]
        if topic.error is not None:
            raise failure_of(topic.error, f"topic {name}")
        found[name] = sorted(topic.partitions)
    return found
