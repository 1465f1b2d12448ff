"""The small values that people write in YAML: durations, proportions, addresses, names, shorthands.

The catalog and the settings of adapters are made of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    PlainValidator,
    SerializationInfo,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from bot.domain.config import is_id
from bot.domain.formatting import duration
from bot.domain.secret import Secret

_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
# The context of a `model_dump` that people read.
FOR_PEOPLE = {"for": "people"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Part(BaseModel):
    """A mapping in which every key is known."""

    # Of most models only a part of a larger one is ever validated, which has its own copy of their validators.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


def parse_duration(value: object) -> float:
    """Seconds of `"30s"`, `"5m"`, `"1h30m"`, `"500ms"`; raises ValueError that says what was expected."""
    text = str(value).strip()
    if not isinstance(value, str) or not re.fullmatch(rf"(?:{_PART.pattern}\s*)+", text):
        hint = f' (write "{value}s" for seconds)' if isinstance(value, int | float) else ""
        raise ValueError(f'a duration with its unit, such as "30s", "5m" or "1h"{hint}')
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def parse_positive(value: object) -> float:
    """Like `parse_duration`, and above zero."""
    seconds = parse_duration(value)
    if seconds <= 0:
        raise ValueError("a duration above zero")
    return seconds


def parse_proportion(value: object) -> float:
    """A share of `"1%"` or `0.01`, strictly between nothing and everything; raises ValueError."""
    share: float | None = None
    if isinstance(value, str) and (match := re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", value.strip())):
        share = float(match[1]) / 100
    elif isinstance(value, int | float) and not isinstance(value, bool):
        share = float(value)
    if share is None:
        raise ValueError('a proportion such as "1%"')
    if not 0 < share < 1:
        raise ValueError('a proportion above 0% and below 100%, such as "1%"')
    return share


def parse_weight(value: object) -> int:
    """Whole per cent of the traffic, of `25` or `"25%"`; raises ValueError."""
    text = value.strip().removesuffix("%") if isinstance(value, str) else value
    if isinstance(text, bool) or not re.fullmatch(r"\d+", str(text)) or int(str(text)) > 100:
        raise ValueError("a whole number of per cent from 0 to 100")
    return int(str(text))


def parse_listen(value: object) -> str:
    """`HOST:PORT` of `8401`, `":8401"` or `"127.0.0.1:8401"`; loopback unless a host is given."""
    host, _, port = str(value).rpartition(":")
    if isinstance(value, bool) or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError('a port or an address with one, such as 8401 or "127.0.0.1:8401"')
    return f"{host or '127.0.0.1'}:{port}"


def host_and_port(listen: str) -> tuple[str, int]:
    """The two parts of what `parse_listen` gave."""
    host, _, port = listen.rpartition(":")
    return host, int(port)


def parse_text(value: object) -> str:
    """Text that YAML may have read as a number (`1.10` is 1.1 by then): only text and whole numbers pass."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("text in quotes (without them YAML makes something else of it)")
    return str(value)


def parse_name_or_id(value: object) -> str:
    """A channel or role: digits are a Discord id, any other text is a name; raises ValueError."""
    text = parse_text(value)
    return str(parse_snowflake(text)) if is_id(text) else text


def parse_snowflake(value: object) -> int:
    """A Discord id of 15 to 20 digits; raises ValueError."""
    if isinstance(value, bool) or not re.fullmatch(r"\d{15,20}", str(value)):
        raise ValueError("a Discord id of 15 to 20 digits (Developer Mode, then Copy ID)")
    return int(str(value))


def parse_path(value: object, info: ValidationInfo) -> Path:
    """A path, absolute: relative to the folder of the file that says it, where the catalog is read."""
    if not isinstance(value, str | Path):
        raise ValueError("text")
    folder = (info.context or {}).get("folder")
    return (Path(folder) / value).resolve() if folder is not None else Path(value)


def parse_secret(value: object) -> Secret:
    """A token or password. The catalog refuses one that is written in a file instead of `${NAME}`."""
    if isinstance(value, Secret):
        return value
    try:
        return Secret(parse_text(value))
    except ValueError as error:
        raise PydanticCustomError("secret", "{said}", {"said": str(error)}) from None


def is_name(text: object) -> bool:
    """Whether `text` may name a service, plan, role, …: letters, digits, `.`, `_`, `-`, at most 64."""
    return isinstance(text, str) and _NAME.fullmatch(text) is not None


def listed(value: object) -> object:
    """One thing stands for a list of it."""
    return [value] if isinstance(value, str | Mapping) else value


def _of(parse: Callable[..., Any], *schemas: Mapping[str, Any]) -> tuple[Any, Any]:
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": list(schemas)}
    return BeforeValidator(parse), WithJsonSchema(dict(schema))


def shaped(pattern: str, expected: str) -> tuple[Any, Any]:
    """What makes `str` a text that matches; `expected` says in a few words what it should be."""

    def parse(value: object) -> object:
        if not isinstance(value, str) or not re.search(pattern, value):
            raise ValueError(expected)
        return value

    return _of(parse, {"type": "string", "pattern": pattern})


def _seconds(value: float | None, info: SerializationInfo) -> float | str | None:
    """Plain seconds for programs; with its unit where a dump is for people to read."""
    return duration(value) if value is not None and info.context == FOR_PEOPLE else value


# JSON Schema of a duration.
DURATION: Mapping[str, Any] = {
    "type": "string",
    "pattern": r"^(\d+(\.\d+)?\s*(ms|s|m|h|d)\s*)+$|\$\{",
    "examples": ["30s", "5m", "1h"],
}
_PERCENT = {"type": "string", "pattern": r"^\d+(\.\d+)?\s*%$|\$\{", "examples": ["1%"]}
_SHARE = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}
_TEXT = {"type": "string"}

Duration = Annotated[float, *_of(parse_positive, DURATION), PlainSerializer(_seconds)]
Proportion = Annotated[float, *_of(parse_proportion, _PERCENT, _SHARE)]
# JSON Schema of a weight.
WEIGHT: Mapping[str, Any] = {
    "anyOf": [{"type": "integer", "minimum": 0, "maximum": 100}, {**_PERCENT, "examples": ["25%"]}]
}
Weight = Annotated[int, *_of(parse_weight, WEIGHT)]
Listen = Annotated[str, *_of(parse_listen, {"type": "integer"}, {**_TEXT, "examples": ["127.0.0.1:8401"]})]
Text = Annotated[str, *_of(parse_text, _TEXT)]
NameOrId = Annotated[str, *_of(parse_name_or_id, _TEXT, {"type": "integer"})]
Snowflake = Annotated[
    int, *_of(parse_snowflake, {"type": "string", "pattern": r"^\d{15,20}$|\$\{"}, {"type": "integer"})
]
Names = Annotated[
    tuple[str, ...], *_of(listed, {"type": "array", "items": {"type": "string"}}, {"type": "string"})
]


UrlPath = Annotated[str, *shaped("^/", "a path that starts with /")]
HttpUrl = Annotated[str, *shaped("^https?://", "an address that starts with https:// or http://")]
RelativePath = Annotated[Path, *_of(parse_path, _TEXT)]
SecretText = Annotated[
    Secret, PlainValidator(parse_secret), PlainSerializer(lambda _: "***"), WithJsonSchema(_TEXT)
]


@dataclass(frozen=True, slots=True, eq=False)
class Short:
    """Lets a model be written as one value: `shift: 25` means `shift: {weight: 25}`.

    field: what the value is; None where the model itself knows.
    """

    field: str | None
    schema: Mapping[str, Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def spell_out(value: object) -> object:
            if self.field is None or isinstance(value, Mapping | BaseModel):
                return value
            return {} if value is None else {self.field: value}

        return core_schema.no_info_before_validator_function(spell_out, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [handler(schema), dict(self.schema), {"type": "null"}]}
