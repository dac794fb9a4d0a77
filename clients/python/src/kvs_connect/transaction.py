"""Results and offsets in one transaction of Kafka's.

**Contract.** When the block ends, what its producer has sent and the offsets of everything that the consumer has handed out are
committed together. If the block raises, or the commit is refused, both are aborted and the consumer goes back, so that the same
records are handed out again. A block whose partitions have meanwhile gone to another consumer does not raise: it is aborted, said in
the log, and `is_committed` is false; its records are handed out to whom they belong to. Where the brokers do not say whether a
transaction is committed, the consumer is of no use any more: to go back would count its records twice, and to go on might lose them.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from types import TracebackType

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from kvs_connect.bounded import NotReturnedError, within
from kvs_connect.errors import KvsConnectError, TransactionFailedError
from kvs_connect.offsets import OffsetTracker

__all__ = ["Transaction"]

logger = logging.getLogger("kvs_connect")

_REBALANCED = {
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.FENCED_INSTANCE_ID,
    KafkaError.STALE_MEMBER_EPOCH,
}

_HINTS = {
    KafkaError._INCONSISTENT: "a result could not be sent. Does its topic exist, may this user write to it, and does it take records of "
    "this size? produce(…, on_delivery=…) says which one it was, and why",
    KafkaError._NOT_CONFIGURED: "give the producer a transactional.id, another one for each consumer that runs at a time",
    KafkaError._FENCED: "another producer has begun with this transactional.id: give each consumer that runs at a time one of its own",
}
_UNKNOWN = (
    "it is not known whether the results count. Close this consumer, and go on with a new producer that has the same transactional.id "
    "and has called init_transactions(), and then a new consumer: they begin behind what is committed"
)
_FLUSH_S = 5.0
_GRACE_S = 15.0
_OPEN = "a transaction of this producer is open already: none can be in another one"


class Transaction:
    """A transaction of `producer`, with the consumer's offsets. Made by `FragmentConsumer.transaction`."""

    def __init__(
        self,
        consumer: Consumer,
        tracker: OffsetTracker,
        producer: Producer,
        initialized: list[Producer],
        rewind: Callable[[], None],
        give_up: Callable[[KvsConnectError], None],
        timeout_s: float,
    ) -> None:
        self._consumer = consumer
        self._tracker = tracker
        self._producer = producer
        self._initialized = initialized
        self._rewind = rewind
        self._give_up = give_up
        self._timeout_s = timeout_s
        self._has_begun = False
        self.is_committed = False
        """Whether results and offsets are committed."""

    def __enter__(self) -> Transaction:
        try:
            if not any(producer is self._producer for producer in self._initialized):
                self._initialize()
                self._initialized.append(self._producer)
            self._attempt("begin_transaction", self._producer.begin_transaction)
            self._has_begun = True
        except TransactionFailedError:
            # What was handed out for this transaction is not in any.
            self._rewind()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if error is not None:
            self._abort()
            return
        if self._tracker.is_torn:
            logger.warning("a transaction is aborted, as partitions have gone elsewhere whose records were in it")
            self._abort()
            return
        offsets = self._tracker.handed_out()
        try:
            if offsets:
                positions = [TopicPartition(*key, offset) for key, offset in offsets.items()]
                group = self._consumer.consumer_group_metadata()
                self._attempt(
                    "send_offsets_to_transaction",
                    lambda: self._producer.send_offsets_to_transaction(positions, group, self._timeout_s),
                )
            self._attempt("commit_transaction", lambda: self._producer.commit_transaction(self._timeout_s))
        except TransactionFailedError as failure:
            cause = failure.__cause__
            if failure.is_unknown:
                self._give_up(failure)
                raise
            self._abort()
            if isinstance(cause, KafkaException) and cause.args[0].code() in _REBALANCED:
                logger.warning("a transaction is aborted, as its partitions have gone elsewhere: %s", cause.args[0].str())
                return
            raise
        self._tracker.finish_all()
        self._tracker.mark_committed(offsets)
        self._tracker.settle()
        self.is_committed = True

    def _initialize(self) -> None:
        """Fences whoever else has this transactional.id, and settles what it has left open."""
        try:
            self._attempt("init_transactions", lambda: self._producer.init_transactions(self._timeout_s))
        except TransactionFailedError as failure:
            cause = failure.__cause__
            # The caller has done it.
            if not (isinstance(cause, KafkaException) and cause.args[0].code() == KafkaError._STATE):
                raise

    def _abort(self) -> None:
        try:
            if self._has_begun:
                # Where the broker learns of a transaction's first partition while it is aborted, it refuses that, and the
                # producer is of no use any more.
                with contextlib.suppress(KafkaException):
                    self._producer.flush(_FLUSH_S)
                self._attempt("abort_transaction", lambda: self._producer.abort_transaction(self._timeout_s))
        except TransactionFailedError as failure:
            # Without a producer that can abort, the broker does it when transaction.timeout.ms has passed.
            logger.warning("a transaction could not be aborted: %s", failure)
        finally:
            self._rewind()

    def _attempt(self, what: str, call: Callable[[], object]) -> None:
        for attempts_left in (4, 3, 2, 1, 0):
            try:
                within(self._timeout_s + _GRACE_S, what, call)
            except NotReturnedError as late:
                raise TransactionFailedError(
                    f"{what} has not returned within its {self._timeout_s:g} s: {_UNKNOWN}", is_unknown=True
                ) from late
            except KafkaException as exception:
                error = exception.args[0]
                if error.retriable() and not error.txn_requires_abort() and attempts_left:
                    continue
                text = f"{what}: {error.str()} (Kafka's error {error.code()})"
                is_unknown = what == "commit_transaction" and error.retriable() and not error.txn_requires_abort()
                is_nested = what == "begin_transaction" and error.code() == KafkaError._STATE
                hint = _UNKNOWN if is_unknown else _OPEN if is_nested else _HINTS.get(error.code())
                raise TransactionFailedError(f"{text}: {hint}" if hint else text, is_unknown=is_unknown) from exception
            return
