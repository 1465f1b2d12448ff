"""Field-by-field reading of a JSON object, with complaints in Discord's words at their path."""

import contextlib
import math
import re
from collections.abc import Collection
from datetime import datetime
from typing import Any

from discord_sandbox.discord.errors import Complaints
from discord_sandbox.discord.state.model import JSON

Path = tuple[str | int, ...]

_DIGITS = re.compile(r"[0-9]{1,20}")


class Fields:
    """One object of a body. Readers return None for absent, null and invalid values; invalid ones are noted."""

    __slots__ = ("body", "complaints", "path")

    def __init__(self, body: JSON, complaints: Complaints, path: Path = ()) -> None:
        self.body = body
        self.complaints = complaints
        self.path = path

    def complain(self, key: str | int | None, code: str, message: str) -> None:
        self.complaints.add(self.path if key is None else (*self.path, key), code, message)

    def wrong(self, *keys: str) -> bool:
        """Whether one of these keys is complained of, or the object if none is named.

        What follows from a mistake is not one more: rules about several keys are silent then.
        """
        if not keys:
            return self.complaints.within(self.path)
        return any(self.complaints.within((*self.path, key)) for key in keys)

    def known(self, keys: Collection[str]) -> None:
        """Note every key that Discord does not document here: it ignores them."""
        for key in self.body:
            if key not in keys:
                self.unknown(key)

    def unknown(self, key: str, message: str = "This field is not known.") -> None:
        self.complaints.ignore((*self.path, key), "UNKNOWN_FIELD", message)

    def _missing(self, key: str) -> None:
        self.complain(key, "BASE_TYPE_REQUIRED", "This field is required")

    def text(
        self, key: str, longest: int, *, shortest: int = 0, required: bool = False, strip: bool = False
    ) -> str | None:
        value = self.body.get(key)
        if value is None:
            if required:
                self._missing(key)
            return None
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            self.complain(key, "STRING_TYPE_CONVERT", f'Could not interpret "{value!r}" as string.')
            return None
        size = len(value.strip()) if strip else len(value)
        if required and size == 0:
            self._missing(key)
        elif shortest and not shortest <= size <= longest:
            self.complain(key, "BASE_TYPE_BAD_LENGTH", f"Must be between {shortest} and {longest} in length.")
        elif size > longest:
            self.complain(key, "BASE_TYPE_MAX_LENGTH", f"Must be {longest} or fewer in length.")
        else:
            return value
        return None

    def number(
        self, key: str, least: float, most: float, *, required: bool = False, whole: bool = True
    ) -> Any:
        value = self.body.get(key)
        if value is None:
            if required:
                self._missing(key)
            return None
        if isinstance(value, str):
            with contextlib.suppress(ValueError):
                value = int(value) if whole else float(value)
        wanted = int if whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, wanted) or math.isnan(value):
            self.complain(key, "NUMBER_TYPE_COERCE", f'Value "{value}" is not {"int" if whole else "float"}.')
            return None
        if value < least:
            self.complain(key, "NUMBER_TYPE_MIN", f"Value should be greater than or equal to {least}.")
            return None
        if value > most:
            self.complain(key, "NUMBER_TYPE_MAX", f"Value should be less than or equal to {most}.")
            return None
        return value

    def snowflake(self, key: str, *, required: bool = False) -> int | None:
        """An id: a number or its digits."""
        value = self.body.get(key)
        if value is None:
            if required:
                self._missing(key)
            return None
        if isinstance(value, bool) or not _DIGITS.fullmatch(str(value)):
            self.complain(key, "NUMBER_TYPE_COERCE", f'Value "{value}" is not snowflake.')
            return None
        return int(value)

    def snowflakes(self, key: str, most: int, *, least: int = 0, required: bool = False) -> list[str] | None:
        """A list of ids."""
        values = self.items(key, most, least=least, required=required)
        for index, value in enumerate(values or ()):
            if isinstance(value, bool) or not _DIGITS.fullmatch(str(value)):
                text = f'Value "{value}" is not snowflake.'
                self.complaints.add((*self.path, key, index), "NUMBER_TYPE_COERCE", text)
        return None if values is None else [str(one) for one in values]

    def choice(self, key: str, allowed: Collection[Any], *, required: bool = False) -> Any:
        value = self.body.get(key)
        if value is None:
            if required:
                self._missing(key)
            return None
        if isinstance(value, bool) or not isinstance(value, (int, str)) or value not in allowed:
            listed = ", ".join(str(one) for one in sorted(allowed))
            self.complain(key, "BASE_TYPE_CHOICES", f"Value must be one of {{{listed}}}.")
            return None
        return value

    def choices(self, key: str, allowed: Collection[int], *, least: int = 0) -> list[int] | None:
        """A list of distinct numbers, each among those allowed."""
        values = self.items(key, len(allowed), least=least)
        for index, value in enumerate(values or ()):
            if type(value) is not int or value not in allowed:
                listed = ", ".join(map(str, sorted(allowed)))
                path = (*self.path, key, index)
                self.complaints.add(path, "BASE_TYPE_CHOICES", f"Value must be one of {{{listed}}}.")
            elif values and value in values[:index]:
                path = (*self.path, key, index)
                self.complaints.add(
                    path, "SET_TYPE_ALREADY_CONTAINS_VALUE", f"The Set already contains {value}."
                )
        return values

    def flag(self, key: str) -> bool | None:
        value = self.body.get(key)
        if value is None:
            return None
        if not isinstance(value, bool):
            self.complain(key, "BOOLEAN_TYPE_CONVERT", "Must be either true or false.")
            return None
        return value

    def items(self, key: str, most: int, *, least: int = 0, required: bool = False) -> list[Any] | None:
        value = self.body.get(key)
        if value is None:
            if required:
                self._missing(key)
            return None
        if not isinstance(value, list):
            self.complain(key, "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
            return None
        if least and not least <= len(value) <= most:
            self.complain(key, "BASE_TYPE_BAD_LENGTH", f"Must be between {least} and {most} in length.")
            return None
        if len(value) > most:
            self.complain(key, "BASE_TYPE_MAX_LENGTH", f"Must be {most} or fewer in length.")
            return None
        return value

    def objects(
        self, key: str, most: int, *, least: int = 0, required: bool = False
    ) -> "list[Fields] | None":
        values = self.items(key, most, least=least, required=required)
        if values is None:
            return None
        found = []
        for index, value in enumerate(values):
            if isinstance(value, dict):
                found.append(Fields(value, self.complaints, (*self.path, key, index)))
            else:
                self.complaints.add(
                    (*self.path, key, index),
                    "MODEL_TYPE_CONVERT",
                    "Only dictionaries may be used in a ModelType",
                )
        return found

    def object(self, key: str, *, required: bool = False) -> "Fields | None":
        value = self.body.get(key)
        if value is None:
            if required:
                self._missing(key)
            return None
        if not isinstance(value, dict):
            self.complain(key, "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")
            return None
        return Fields(value, self.complaints, (*self.path, key))

    def url(
        self, key: str, longest: int = 2048, *, required: bool = False, attachment: bool = False
    ) -> str | None:
        value = self.text(key, longest, required=required)
        if value is None:
            return None
        schemes = (
            ("http://", "https://", "attachment://") if attachment else ("http://", "https://", "discord://")
        )
        if not value.startswith(schemes) or value in schemes:
            listed = ", ".join(repr(one.removesuffix("://")) for one in schemes)
            self.complain(
                key,
                "URL_TYPE_INVALID_SCHEME",
                f'Scheme "{value[:40]}" is not supported. Scheme must be one of ({listed}).',
            )
            return None
        return value

    def time(self, key: str) -> str | None:
        value = self.body.get(key)
        if value is None:
            return None
        try:
            datetime.fromisoformat(str(value))
        except ValueError:
            self.complain(key, "DATE_TIME_TYPE_PARSE", f"Could not parse {value}. Should be ISO8601.")
            return None
        return str(value)
