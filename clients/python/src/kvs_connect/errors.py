"""Everything that this package raises.

**Contract.** Each error is a `KvsConnectError`, says in its text what is wrong and what to do about it, and has what it
knows as fields. Errors of the libraries beneath are its `__cause__`.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "AccessDeniedError",
    "BrokerUnreachableError",
    "ConfigurationError",
    "KafkaFailedError",
    "KvsConnectError",
    "MediaError",
    "MissingExtraError",
    "NoAudioError",
    "NoPicturesError",
    "NotARecordError",
    "PayloadAbsentError",
    "PayloadDamagedError",
    "PayloadError",
    "PayloadMissingError",
    "RecordError",
    "RegistryError",
    "RegistryNeededError",
    "TopicMissingError",
    "TransactionFailedError",
    "UnknownSchemaError",
]


class KvsConnectError(Exception):
    """The base of all errors of this package.

    `is_passing` says that the same record can be read later, or with other arguments: `on_error="skip"` never skips it.

    >>> error = UnknownSchemaError("kvs.fragments", 0, 7, "fe7f620bbf316df9")
    >>> isinstance(error, KvsConnectError), error.fingerprint, error.offset
    (True, 'fe7f620bbf316df9', 7)
    """

    is_passing = False

    def __reduce__(self) -> tuple[Any, ...]:
        # What goes to another process is not made anew: its class takes other arguments than its text.
        return _copied, (type(self), self.args, self.__dict__)


def _copied(kind: type[KvsConnectError], arguments: tuple[Any, ...], fields: dict[str, Any]) -> KvsConnectError:
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(fields)
    return error


class ConfigurationError(KvsConnectError, ValueError):
    """An argument or a setting cannot be used."""

    is_passing = True


class MissingExtraError(KvsConnectError, ImportError):
    """A feature needs a package that is installed with an extra of this one."""

    is_passing = True

    def __init__(self, package: str, extra: str) -> None:
        self.package = package
        self.extra = extra
        super().__init__(f"this needs the package {package}: pip install 'kvs-connect[{extra}]'")


class KafkaFailedError(KvsConnectError):
    """Kafka has refused something, for a reason that has no class of its own here."""

    is_passing = True

    def __init__(self, what: str, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"{what}: {reason} (Kafka's error {code})")


class BrokerUnreachableError(KvsConnectError):
    """No broker has responded in time."""

    is_passing = True

    def __init__(self, bootstrap_servers: str, waited_s: float, reason: str) -> None:
        self.bootstrap_servers = bootstrap_servers
        self.waited_s = waited_s
        self.reason = reason
        super().__init__(
            f"no broker at {bootstrap_servers} has responded within {waited_s:g} s: {reason}. Is the address right, and "
            "does the broker's advertised.listeners name one that can be reached from here? A broker with TLS or SASL "
            "needs security.protocol in config"
        )


class TopicMissingError(KvsConnectError):
    """A topic does not exist, or no topic matches a pattern."""

    is_passing = True

    def __init__(self, topic: str, similar: list[str]) -> None:
        self.topic = topic
        self.similar = similar
        hint = f"There are: {', '.join(similar)}. " if similar else ""
        super().__init__(
            f"there is no topic {topic}. {hint}The connector creates a topic when its first fragment needs it; "
            "kvs-connect connector status tells what it does"
        )


class AccessDeniedError(KvsConnectError):
    """The broker knows this client and refuses, or does not know it."""

    is_passing = True

    def __init__(self, resource: str, name: str, needed: str) -> None:
        self.resource = resource
        self.name = name
        self.needed = needed
        super().__init__(f"access to {resource} {name} is denied: {needed}")


class RecordError(KvsConnectError):
    """A record cannot be read."""

    def __init__(self, topic: str, partition: int, offset: int, reason: str) -> None:
        self.topic = topic
        self.partition = partition
        self.offset = offset
        super().__init__(f"{topic}, partition {partition}, offset {offset}: {reason}")


class NotARecordError(RecordError):
    """A value is in none of the forms that the connector writes."""


class UnknownSchemaError(RecordError):
    """A value names a schema that this version of the package does not have."""

    is_passing = True

    def __init__(self, topic: str, partition: int, offset: int, fingerprint: str) -> None:
        self.fingerprint = fingerprint
        super().__init__(
            topic,
            partition,
            offset,
            f"the schema with fingerprint {fingerprint} is not known here. A newer kvs-connect has written this record: "
            "pip install --upgrade kvs-connect",
        )


class RegistryNeededError(RecordError):
    """A value names its schema by an id of a schema registry, and there is no registry to ask."""

    is_passing = True

    def __init__(self, topic: str, partition: int, offset: int, schema_id: int) -> None:
        self.schema_id = schema_id
        super().__init__(
            topic,
            partition,
            offset,
            f"the value names its schema by the id {schema_id} of a schema registry: give schema_registry=URL, the "
            "connector's schema.registry.url (pip install 'kvs-connect[registry]' brings the client for it)",
        )


class RegistryError(KvsConnectError):
    """The schema registry does not give a schema."""

    def __init__(self, schema_id: int, reason: str, *, is_passing: bool = True) -> None:
        self.schema_id = schema_id
        self.reason = reason
        self.is_passing = is_passing
        super().__init__(f"the schema registry does not give the schema with id {schema_id}: {reason}")


class PayloadError(KvsConnectError):
    """The media of a fragment cannot be had."""

    def __init__(self, stream: str, number: str, reason: str) -> None:
        self.stream = stream
        self.number = number
        super().__init__(f"fragment {number} of stream {stream}: {reason}")


class PayloadAbsentError(PayloadError):
    """The connector has published the fragment without its media."""


class PayloadMissingError(PayloadError):
    """The media are not where the record says that they are, or cannot be reached there, which may pass."""

    def __init__(self, stream: str, number: str, reason: str, *, is_passing: bool = False) -> None:
        super().__init__(stream, number, reason)
        self.is_passing = is_passing


class PayloadDamagedError(PayloadError):
    """The media are not those that the record speaks of: their hash or their size is another one."""


class MediaError(KvsConnectError):
    """Media cannot be decoded, or not be written as asked."""

    def __init__(self, reason: str, stream: str = "", number: str = "", track: int | None = None, index: int = -1) -> None:
        self.reason = reason
        self.stream = stream
        self.number = number
        self.track = track
        self.index = index
        where = [f"stream {stream}"] if stream else []
        where += [f"fragment {number}"] if number else []
        where += [f"frame {index}"] if index >= 0 else []
        where += [f"track {track}"] if track is not None else []
        super().__init__(f"{', '.join(where)}: {reason}" if where else reason)


class NoPicturesError(MediaError):
    """Pictures are asked of a stream that has no track of video."""


class NoAudioError(MediaError):
    """Samples are asked of a stream that has no such track of audio."""


class TransactionFailedError(KvsConnectError):
    """A transaction could not be committed; it is aborted, and its fragments will be handed out again.

    Where `is_unknown`, the brokers have not said whether it is committed: the consumer has to be made anew, with a new producer.
    """

    def __init__(self, text: str, *, is_unknown: bool = False) -> None:
        self.is_unknown = is_unknown
        super().__init__(text)
