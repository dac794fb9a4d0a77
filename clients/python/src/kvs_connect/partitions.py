"""The partitions of a consumer: begun where they are to be begun, read to their end, given back to the group.

**Contract.** Partitions come from the group, or without one they are chosen from all that the topics have, those that are added later
too. One that cannot be begun, for the database that knows where does not answer, is not read until it can. One that goes elsewhere is
committed as far as it is finished, and forgotten.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from confluent_kafka import Consumer, TopicPartition

from kvs_connect.committer import Committer
from kvs_connect.connection import Topics
from kvs_connect.errors import ConfigurationError
from kvs_connect.offsets import OffsetTracker, PartitionKey
from kvs_connect.start import Offsets, Start, bounds, start_offsets
from kvs_connect.topic_look import TopicLook

__all__ = ["Limits", "Partitions"]

logger = logging.getLogger("kvs_connect")


@dataclass(frozen=True)
class Limits:
    """From where to where partitions are read."""

    start: Start
    offsets: Offsets | None
    until_end: bool
    timeout_s: float
    is_stopped: Callable[[], bool]


class Partitions:
    """The partitions that a consumer reads."""

    def __init__(
        self,
        consumer: Consumer,
        topic: Topics,
        group_id: str | None,
        *,
        is_cooperative: bool,
        chosen: Collection[int] | Callable[[str, int], bool] | None,
        limits: Limits,
        tracker: OffsetTracker,
        committer: Committer,
        on_taken: Callable[[Collection[PartitionKey]], None],
    ) -> None:
        self._consumer = consumer
        self._topic = topic
        self._group_id = group_id
        self._is_cooperative = is_cooperative
        self._are_chosen = chosen
        self._limits = limits
        self._tracker = tracker
        self._committer = committer
        self._on_taken = on_taken
        self._ends: dict[PartitionKey, int] = {}
        self._at_end: set[PartitionKey] = set()
        self._was_assigned = False
        self._is_closed = False
        self.look = TopicLook()
        self.assigned: set[PartitionKey] = set()
        """Those that are read."""
        self.waiting: list[PartitionKey] = []
        """Those that are this consumer's, and of which it is not known yet where to begin."""

    def follow(self, found: dict[str, list[int]]) -> None:
        """Begins: joins the group, or reads what is chosen of these topics."""
        if self._group_id is None:
            self._check_chosen(found)
            self._begin(self._chosen(found), self._consumer.assign)
            return
        topics = list(found)
        if isinstance(self._topic, re.Pattern):
            # Topics that appear later belong to it, too. The client's patterns begin with ^, and match from there on.
            topics = [f"^({self._topic.pattern.removeprefix('^').removesuffix('$')})$"]
        self._consumer.subscribe(topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost)

    def close(self) -> None:
        """What is assigned from now on is not read: the consumer is being closed."""
        self._is_closed = True

    # --- while they are read

    def look_at_topics(self, silent_s: float) -> None:
        """Begins to read partitions that were added, and topics of a pattern: without a group that is nobody else's work.

        Where nothing comes, with a group or without one, it notices that a topic was deleted.
        """
        is_alone = self._group_id is None and not self._limits.until_end
        if not (is_alone or silent_s >= self.look.every_s):
            return
        found = self.look.due(self._consumer, self._topic)
        added = [key for key in self._chosen(found) if key not in self.assigned] if is_alone else []
        if added:
            names = ", ".join(f"{topic} {partition}" for topic, partition in added)
            logger.info("partitions were added, and are read from their beginning: %s", names)
            self._begin(added, self._consumer.incremental_assign)

    def begin_waiting(self) -> None:
        """Begins what could not be begun when it was assigned."""
        if self.waiting:
            self._begin(self.waiting, self._consumer.incremental_assign if self._is_cooperative else self._consumer.assign)
            self.waiting = []

    def has_ended(self, partition: PartitionKey) -> None:
        """Notes that there is no further record."""
        self._at_end.add(partition)

    def is_behind_end(self, partition: PartitionKey, offset: int) -> bool:
        """Whether a record is none that is to be read. The partition is not read on then."""
        if not self._limits.until_end or offset < self._ends.get(partition, offset + 1):
            return False
        self._at_end.add(partition)
        self._consumer.pause([TopicPartition(*partition)])
        return True

    def is_read(self) -> bool:
        """Whether all are read that are to be read to their end."""
        return self._limits.until_end and self._was_assigned and not self.waiting and self.assigned <= self._at_end

    def go_back(self, partition: PartitionKey, offset: int) -> None:
        """Reads a partition again from this offset on, if it is still read."""
        if partition in self.assigned:
            self._at_end.discard(partition)
            self._consumer.resume([TopicPartition(*partition)])
            self._consumer.seek(TopicPartition(*partition, offset))

    def quiet_reason(self) -> str | None:
        """Returns why nothing comes, as far as partitions tell."""
        if self.look.problem:
            return self.look.problem
        if not self._was_assigned:
            return (
                f"the group {self._group_id} has not assigned any partition to this consumer yet. One of its programs that was killed "
                "keeps its partitions for session.timeout.ms (45 s)"
            )
        if not self.assigned:
            return f"other members of the group {self._group_id} have all partitions"
        if self.assigned <= self._at_end:
            return "all records have been read, and no new ones are published"
        return None

    # --- when they come and go

    def _chosen(self, found: dict[str, list[int]]) -> list[PartitionKey]:
        return [(topic, partition) for topic, ids in found.items() for partition in ids if self._is_chosen(topic, partition)]

    def _is_chosen(self, topic: str, partition: int) -> bool:
        chosen = self._are_chosen
        if isinstance(chosen, Collection):
            return partition in chosen
        return chosen is None or chosen(topic, partition)

    def _check_chosen(self, found: dict[str, list[int]]) -> None:
        """Refuses numbers that no topic has, which would be waited for in vain."""
        known = {partition for ids in found.values() for partition in ids}
        absent = sorted(set(self._are_chosen) - known) if isinstance(self._are_chosen, Collection) else []
        if absent:
            has = "; ".join(f"topic {topic} has {len(ids)}, from 0 to {len(ids) - 1}" for topic, ids in sorted(found.items())[:5])
            raise ConfigurationError(f"there is no partition {', '.join(map(str, absent))}: {has}")

    def _begin(self, keys: list[PartitionKey], assign: Callable[[list[TopicPartition]], None]) -> None:
        limits = self._limits
        starts = start_offsets(
            self._consumer,
            keys,
            # What was added since is new from its beginning.
            start="earliest" if self._was_assigned and self._group_id is None else limits.start,
            offsets=limits.offsets,
            has_group=self._group_id is not None,
            is_later=self._was_assigned,
            timeout_s=limits.timeout_s,
            is_stopped=limits.is_stopped,
        )
        if limits.is_stopped():
            # Nobody reads on, and where to begin may not be known.
            assign([])
            return
        for key in keys if limits.until_end else ():
            low, high = bounds(self._consumer, key, limits.timeout_s)
            self._ends[key] = high
            if low >= high:
                self._at_end.add(key)
        self.assigned.update(keys)
        self._was_assigned = True
        assign(starts)

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        assign = consumer.incremental_assign if self._is_cooperative else consumer.assign
        if self._is_closed:
            assign([])
            return
        self.waiting += [(one.topic, one.partition) for one in partitions]
        try:
            self.begin_waiting()
        except BaseException:
            # Confluent's client would read them by itself, from wherever. Who catches this and goes on has them begun then.
            assign([])
            raise

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        keys = [(one.topic, one.partition) for one in partitions]
        self._committer.commit(self._tracker.uncommitted(keys), is_sync=True)
        self.take_away(keys)
        self._unassign(consumer, partitions)

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        # Somebody else has them by now, and has begun at what was committed.
        logger.warning("the group has given partitions of this consumer away: their last records are read again elsewhere")
        self.take_away([(one.topic, one.partition) for one in partitions])
        self._unassign(consumer, partitions)

    def _unassign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if not self._is_cooperative:
            consumer.unassign()
            return
        # Those that were never begun are not assigned in the client.
        known = {(one.topic, one.partition) for one in consumer.assignment()}
        consumer.incremental_unassign([one for one in partitions if (one.topic, one.partition) in known])

    def take_away(self, keys: Collection[PartitionKey]) -> None:
        """Forgets partitions that are read elsewhere."""
        self.waiting = [key for key in self.waiting if key not in keys]
        self.assigned.difference_update(keys)
        self._at_end.difference_update(keys)
        for key in keys:
            self._tracker.forget(key)
        self._on_taken(keys)
