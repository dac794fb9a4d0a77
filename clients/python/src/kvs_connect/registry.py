"""Schemas of a schema registry, by their ids.

**Contract.** `Registry.schema` returns a schema as JSON has it, or raises `RegistryError`. What the registry gives is kept by the
caller. An id that it does not have is asked for once a minute: a topic may be full of foreign values. A client of one's own needs
one method, `get_schema(id)`, whose result has `schema_str`, as `confluent_kafka.schema_registry.SchemaRegistryClient` has it.
"""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from kvs_connect.errors import ConfigurationError, MissingExtraError, RegistryError

__all__ = ["Registry"]

_NOT_FOUND = 404
#: The code with which Confluent's API says it; without it something else is at this address.
_SCHEMA_NOT_FOUND = 40403
_ASK_AGAIN_AFTER_S = 60.0
#: Ids come from the values of the topic, so that there is no end of them.
_ABSENT_MAX = 1_000


class Registry:
    """A schema registry: its URL, the settings of Confluent's client, or a client."""

    def __init__(self, registry: str | Mapping[str, Any] | Any) -> None:
        if isinstance(registry, str):
            registry = {"url": registry}
        self._client: Any = _client(registry) if isinstance(registry, Mapping) else registry
        if not hasattr(self._client, "get_schema"):
            raise ConfigurationError("schema_registry is a URL, the settings of a SchemaRegistryClient, or such a client")
        #: Why an id is absent, and when that was learned; the oldest first.
        self._absent: OrderedDict[int, tuple[str, float]] = OrderedDict()

    def schema(self, schema_id: int) -> Any:
        """Returns the schema with this id."""
        reason, learned = self._absent.get(schema_id, ("", -_ASK_AGAIN_AFTER_S))
        if reason and time.monotonic() - learned < _ASK_AGAIN_AFTER_S:
            raise RegistryError(schema_id, reason, is_passing=False)
        try:
            found = self._client.get_schema(schema_id)
        # The client's errors are those of its HTTP library, too.
        except Exception as error:
            reason = str(error) or type(error).__name__
            # What the registry does not have, it will not have later.
            is_absent = getattr(error, "error_code", None) == _SCHEMA_NOT_FOUND
            if getattr(error, "http_status_code", None) == _NOT_FOUND and not is_absent:
                reason += ". Is this the address of Confluent's API? That of Apicurio ends with /apis/ccompat/v7"
            if is_absent:
                self._note_absent(schema_id, reason)
            raise RegistryError(schema_id, reason, is_passing=not is_absent) from error
        kind = getattr(found, "schema_type", None) or "AVRO"
        if kind != "AVRO":
            raise RegistryError(schema_id, f"it is a schema of {kind}, and the connector writes Avro", is_passing=False)
        try:
            return json.loads(found.schema_str)
        except (TypeError, ValueError) as error:
            raise RegistryError(schema_id, f"it is no Avro schema: {error}", is_passing=False) from error

    def _note_absent(self, schema_id: int, reason: str) -> None:
        self._absent.pop(schema_id, None)
        self._absent[schema_id] = (reason, time.monotonic())
        if len(self._absent) > _ABSENT_MAX:
            self._absent.popitem(last=False)


def _client(settings: Mapping[str, Any]) -> Any:
    try:
        from confluent_kafka.schema_registry import SchemaRegistryClient
    except ImportError as error:
        raise MissingExtraError("confluent-kafka[schemaregistry]", "registry") from error
    try:
        return SchemaRegistryClient(dict(settings))
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"schema_registry: {error}") from error
