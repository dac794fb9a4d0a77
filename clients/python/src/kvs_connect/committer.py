"""Commits offsets to the consumer group.

**Contract.** What is finished is committed from time to time without waiting, and with waiting where a partition goes elsewhere or the
caller asks for it. An offset that cannot be committed is said in the log: its records are read again, and nothing is lost.
"""

from __future__ import annotations

import logging
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from kvs_connect.offsets import OffsetTracker, PartitionKey

__all__ = ["Committer", "on_commit"]

logger = logging.getLogger("kvs_connect")

_ATTEMPTS = 10
_REBALANCING = {KafkaError.REBALANCE_IN_PROGRESS, KafkaError.ILLEGAL_GENERATION}


class Committer:
    """Commits for one consumer."""

    def __init__(self, consumer: Consumer, tracker: OffsetTracker, interval_s: float, is_on: bool) -> None:
        self._consumer = consumer
        self._tracker = tracker
        self._interval_s = interval_s
        self._last = time.monotonic()
        self.is_on = is_on
        """Whether offsets are committed here: with a group, and neither by transactions nor to a database."""

    def commit_if_due(self) -> None:
        """Commits, without waiting, what is finished, if it is time."""
        now = time.monotonic()
        if now - self._last >= self._interval_s:
            self._last = now
            self.commit(self._tracker.uncommitted(), is_sync=False)

    def commit(self, offsets: dict[PartitionKey, int], *, is_sync: bool) -> None:
        """Commits these offsets."""
        if not offsets or not self.is_on:
            return
        wanted = [TopicPartition(*key, offset) for key, offset in offsets.items()]
        try:
            if is_sync:
                self._commit_now(wanted)
            else:
                self._consumer.commit(offsets=wanted, asynchronous=True)
        except KafkaException as exception:
            # What was not committed is read again; nothing is lost.
            logger.warning("offsets could not be committed: %s", exception.args[0].str())
        else:
            self._tracker.mark_committed(offsets)

    def _commit_now(self, wanted: list[TopicPartition]) -> None:
        for attempts_left in range(_ATTEMPTS - 1, -1, -1):
            try:
                self._consumer.commit(offsets=wanted, asynchronous=False)
                return
            except KafkaException as exception:
                # The partitions are still this consumer's; another member joins just now, which is soon over.
                if exception.args[0].code() not in _REBALANCING or not attempts_left:
                    raise
            time.sleep(0.2)


def on_commit(error: KafkaError | None, partitions: list[TopicPartition]) -> None:
    """Says that a commit without waiting has failed; a callback of Confluent's client."""
    if error is not None and error.code() != KafkaError._NO_OFFSET:
        logger.warning("offsets could not be committed: %s", error.str())
