"""Schemas of a schema registry, by their ids.

**Contract.** `Registry.schema` returns a schema as JSON has it, or raises `RegistryError`. The registry is asked once for each
id by the caller. A client of one's own needs one method, `get_schema(id)`, whose result has `schema_str`, as
`confluent_kafka.schema_registry.SchemaRegistryClient` has it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from kvs_connect.errors import ConfigurationError, MissingExtraError, RegistryError

__all__ = ["Registry"]

_NOT_FOUND = 404


class Registry:
    """A schema registry: its URL, the settings of Confluent's client, or a client."""

    def __init__(self, registry: str | Mapping[str, Any] | Any) -> None:
        if isinstance(registry, str):
            registry = {"url": registry}
        self._client: Any = _client(registry) if isinstance(registry, Mapping) else registry
        if not hasattr(self._client, "get_schema"):
            raise ConfigurationError("schema_registry is a URL, the settings of a SchemaRegistryClient, or such a client")

    def schema(self, schema_id: int) -> Any:
        """Returns the schema with this id."""
        try:
            found = self._client.get_schema(schema_id)
        # The client's errors are those of its HTTP library, too.
        except Exception as error:
            # What the registry does not have, it will not have later.
            is_passing = getattr(error, "http_status_code", None) != _NOT_FOUND
            raise RegistryError(schema_id, str(error) or type(error).__name__, is_passing=is_passing) from error
        kind = getattr(found, "schema_type", None) or "AVRO"
        if kind != "AVRO":
            raise RegistryError(schema_id, f"it is a schema of {kind}, and the connector writes Avro", is_passing=False)
        try:
            return json.loads(found.schema_str)
        except (TypeError, ValueError) as error:
            raise RegistryError(schema_id, f"it is no Avro schema: {error}", is_passing=False) from error


def _client(settings: Mapping[str, Any]) -> Any:
    try:
        from confluent_kafka.schema_registry import SchemaRegistryClient
    except ImportError as error:
        raise MissingExtraError("confluent-kafka[schemaregistry]", "registry") from error
    return SchemaRegistryClient(dict(settings))
