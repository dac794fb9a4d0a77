"""The form of a record's value, found from its first bytes.

**Contract.** `Decoder.decode` returns a record's fields, with times as the integers that the schema has, and its media as a
view into the value, which is not copied. `C3 01` begins an Avro single object, whose schema is one of those in this package;
a byte 0 begins Confluent's framing, whose schema the registry has; `{` begins JSON.
"""

from __future__ import annotations

import base64
import functools
import io
import json
from importlib import resources
from typing import Any, NamedTuple

import fastavro
import fastavro.schema
from fastavro.schema import SchemaParseException

from kvs_connect.errors import NotARecordError, RecordError, RegistryNeededError, UnknownSchemaError
from kvs_connect.registry import Registry

__all__ = ["FOREIGN_ERRORS", "Decoded", "Decoder", "bundled_schemas"]

FOREIGN_ERRORS = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    RecursionError,
    SchemaParseException,
    TypeError,
    ValueError,
)
"""What reading a value may raise that is foreign, or was made to do harm."""

_SINGLE_OBJECT = b"\xc3\x01"
_SINGLE_OBJECT_HEAD_BYTES = 10
_CONFLUENT_HEAD_BYTES = 5
_MEDIA_FIELDS = ("payload", "data")
_BASE64_FIELDS = ("codec_private", "settings", "binary", "config", "data")


class Decoded(NamedTuple):
    """A record's fields without its media, and the media; None where the record has no field for them."""

    fields: dict[str, Any]
    media: memoryview | None


class _Schema:
    """A schema with which values are written, ready to read them."""

    def __init__(self, schema: Any) -> None:
        schema = _without_logical_types(schema)
        self._media_is_last = False
        fields = schema.get("fields") if isinstance(schema, dict) else None
        # The media are the last field, so that everything before them is read by Avro's library, and they are not.
        if fields and fields[-1]["name"] in _MEDIA_FIELDS and fields[-1]["type"] == "bytes":
            schema = {**schema, "fields": fields[:-1]}
            self._media_is_last = True
        self._parsed = fastavro.parse_schema(schema)

    def read(self, value: bytes, head_bytes: int) -> Decoded:
        # BytesIO shares the memory of bytes until somebody writes to it.
        source = io.BytesIO(value)
        source.seek(head_bytes)
        fields: Any = fastavro.schemaless_reader(source, self._parsed, None)
        if not self._media_is_last:
            media = fields.pop("payload", None)
            return Decoded(fields, None if media is None else memoryview(media))
        size_bytes, at = _long(value, source.tell())
        if size_bytes < 0 or at + size_bytes > len(value):
            raise ValueError("its media are cut off")
        return Decoded(fields, memoryview(value)[at : at + size_bytes])


class Decoder:
    """Reads the values of fragments, metadata and frames."""

    def __init__(self, registry: Registry | None = None) -> None:
        self._registry = registry
        self._by_id: dict[int, _Schema] = {}

    def decode(self, value: bytes, topic: str = "", partition: int = -1, offset: int = -1) -> Decoded:
        """Returns what a value has; the other arguments say in an error where it is."""
        where = (topic, partition, offset)
        try:
            if value.startswith(_SINGLE_OBJECT):
                # In the order of the bytes, as fastavro, too, writes it.
                fingerprint = value[2:_SINGLE_OBJECT_HEAD_BYTES].hex()
                schema = _bundled().get(fingerprint)
                if schema is None:
                    raise UnknownSchemaError(*where, fingerprint)
                return schema.read(value, _SINGLE_OBJECT_HEAD_BYTES)
            if value.startswith(b"\0") and len(value) > _CONFLUENT_HEAD_BYTES:
                return self._of_registry(value, where).read(value, _CONFLUENT_HEAD_BYTES)
            if value.startswith(b"{"):
                return _of_json(value)
        except RecordError:
            raise
        except FOREIGN_ERRORS as error:
            raise NotARecordError(*where, f"the value cannot be read: {error}") from error
        begin = value[:8].hex(" ")
        raise NotARecordError(*where, f"this is no record of fragments, metadata or frames: it begins with {begin or 'nothing'}")

    def _of_registry(self, value: bytes, where: tuple[str, int, int]) -> _Schema:
        schema_id = int.from_bytes(value[1:_CONFLUENT_HEAD_BYTES], "big")
        schema = self._by_id.get(schema_id)
        if schema is None:
            if self._registry is None:
                raise RegistryNeededError(*where, schema_id)
            found = self._registry.schema(schema_id)
            fields = found.get("fields") if isinstance(found, dict) else None
            # Another schema is not read with: it may have more entries than the value has bytes.
            if not isinstance(fields, list) or all(field.get("name") != "stream_name" for field in fields):
                raise NotARecordError(*where, f"its schema, {schema_id} in the registry, is none of fragments, metadata or frames")
            schema = self._by_id[schema_id] = _Schema(found)
        return schema


def bundled_schemas() -> dict[str, Any]:
    """Returns the schemas in this package, by the fingerprint with which values name them."""
    folder = resources.files("kvs_connect") / "schemas"
    schemas = {}
    for file in folder.iterdir():
        if file.name.endswith(".avsc"):
            schema = json.loads(file.read_text("utf-8"))
            canonical = fastavro.schema.to_parsing_canonical_form(schema)
            schemas[fastavro.schema.fingerprint(canonical, "CRC-64-AVRO")] = schema
    for file in (folder / "earlier").iterdir():
        if file.name.endswith(".avsc"):
            # By its name: the earliest of all has a fingerprint that does not follow from it.
            schemas[file.name.removesuffix(".avsc").rpartition("-")[2]] = json.loads(file.read_text("utf-8"))
    return schemas


@functools.cache
def _bundled() -> dict[str, _Schema]:
    return {fingerprint: _Schema(schema) for fingerprint, schema in bundled_schemas().items()}


def _without_logical_types(schema: Any) -> Any:
    """Times stay integers: a datetime for each would be made twice, and JSON has integers, too."""
    if isinstance(schema, dict):
        return {key: _without_logical_types(value) for key, value in schema.items() if key not in ("logicalType", "doc")}
    if isinstance(schema, list):
        return [_without_logical_types(value) for value in schema]
    return schema


def _long(value: bytes, at: int) -> tuple[int, int]:
    """Returns an Avro long, and where it ends."""
    number = 0
    for shift in range(0, 64, 7):
        byte = value[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), at
    raise ValueError("the length of its media is no number")


def _of_json(value: bytes) -> Decoded:
    fields = json.loads(value)
    media = fields.pop("data", None)
    _decode_base64(fields)
    return Decoded(fields, None if not media else memoryview(base64.b64decode(media)))


def _decode_base64(fields: Any) -> None:
    if isinstance(fields, list):
        for field in fields:
            _decode_base64(field)
    elif isinstance(fields, dict):
        for name, field in fields.items():
            if name in _BASE64_FIELDS and isinstance(field, str):
                fields[name] = base64.b64decode(field)
            else:
                _decode_base64(field)
