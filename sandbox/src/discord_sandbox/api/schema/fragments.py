"""Fragments of JSON Schema under short names."""

from typing import Any

JSON = dict[str, Any]

ANY: JSON = {}
TEXT: JSON = {"type": "string"}
NUMBER: JSON = {"type": "number"}
WHOLE: JSON = {"type": "integer"}
FLAG: JSON = {"type": "boolean"}
OBJECT: JSON = {"type": "object"}
ID: JSON = {"type": "string", "pattern": "^[0-9]+$"}
TIME: JSON = {"type": "string", "format": "date-time"}
GIVEN: JSON = {"type": "string", "minLength": 1}
YEAR_S = 31_536_000
SECONDS: JSON = {"type": "number", "minimum": 0, "maximum": YEAR_S}
COUNT: JSON = {"type": "integer", "minimum": 0, "maximum": 10**9}


def one_of(*values: str) -> JSON:
    return {"type": "string", "enum": list(values)}


def many(schema: JSON) -> JSON:
    return {"type": "array", "items": schema}


def by_name(schema: JSON) -> JSON:
    """An object with any names, and values of one kind."""
    return {"type": "object", "additionalProperties": schema}


def maybe(schema: JSON) -> JSON:
    """The same, or null."""
    if isinstance(schema.get("type"), str) and "enum" not in schema:
        return schema | {"type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def about(schema: JSON, text: str) -> JSON:
    return schema | {"description": text}


def shape(name: str) -> JSON:
    """A shape of `answers.SHAPES`."""
    return {"$ref": f"#/components/schemas/{name}"}


def record(**fields: JSON) -> JSON:
    """An object with exactly these fields, each of them always there."""
    return {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }
