"""`${NAME}` in texts: what the environment gives stays out of whatever is stored, and is filled in when it is used.

A release's spec is stored as it is written. Its key `references` says in which other keys `${NAME}` stands for a
variable of Slipway's environment, and has a hash by which a change of what they held is noticed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

REFERENCE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
KEY = "references"
_IN, _HASH = "in", "hash"

Spec = Mapping[str, Any]


class UnsetVariableError(Exception):
    """The environment lacks the variable `name`."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the environment variable {name} is not set")
        self.name = name


def expanded(value: Any, environ: Mapping[str, str], found: list[str] | None = None) -> Any:
    """`value` with its references filled in, in all texts inside. What the environment gave is added to `found`.

    `${NAME:-text}` has a default, and `$${` stands for `${`. Raises `UnsetVariableError`.
    """
    if isinstance(value, str):
        return REFERENCE.sub(lambda match: _given(match, environ, found), value)
    if isinstance(value, Mapping):
        return {key: expanded(each, environ, found) for key, each in value.items()}
    return [expanded(each, environ, found) for each in value] if isinstance(value, list | tuple) else value


def _given(match: re.Match[str], environ: Mapping[str, str], found: list[str] | None) -> str:
    name, default = match[1], match[2]
    if name is None:
        return "${"
    if given := environ.get(name):
        if found is not None:
            found.append(given)
        return given
    if default is None:
        raise UnsetVariableError(name)
    return str(default)


def escaped(text: str) -> str:
    """`text` as it has to be written to stand for itself."""
    return REFERENCE.sub(lambda match: f"${match[0]}", text)


def marked(spec: Spec, keys: tuple[str, ...]) -> dict[str, Any]:
    """`spec`, in which references stand in `keys`."""
    return {**spec, KEY: {_IN: list(keys)}}


def is_marked(spec: Spec) -> bool:
    return isinstance(spec.get(KEY), Mapping)


def hashed(spec: Spec, environ: Mapping[str, str]) -> dict[str, Any]:
    """`spec` with the hash of what it stands for now. Raises `UnsetVariableError`."""
    if not is_marked(spec):
        return dict(spec)
    return {**spec, KEY: {**spec[KEY], _HASH: _hash(spec, environ)}}


def resolved(spec: Spec, environ: Mapping[str, str]) -> dict[str, Any]:
    """`spec` as a target needs it, with `secrets`: the values that the environment gave, by where they stand.

    Raises `UnsetVariableError`.
    """
    if not is_marked(spec):
        return dict(spec)
    secrets: dict[str, list[str]] = {}
    filled = {key: value for key, value in spec.items() if key != KEY}
    for key in spec[KEY][_IN]:
        if key not in filled:
            continue
        below = filled[key]
        if isinstance(below, Mapping):
            filled[key] = {
                name: _noted(each, f"{key}.{name}", environ, secrets) for name, each in below.items()
            }
        else:
            filled[key] = _noted(below, key, environ, secrets)
    return {**filled, "secrets": secrets} if secrets else filled


def changed(spec: Spec, environ: Mapping[str, str]) -> str:
    """Why `spec` stands for something else than when it was hashed, to end a sentence; empty when it does not."""
    if not is_marked(spec) or _HASH not in spec[KEY]:
        return ""
    try:
        same = _hash(spec, environ) == spec[KEY][_HASH]
    except UnsetVariableError as error:
        return str(error)
    named = ", ".join(dict.fromkeys(_names({key: spec.get(key) for key in spec[KEY][_IN]})))
    return "" if same else f"Slipway's environment has changed ({named})"


def _noted(value: Any, place: str, environ: Mapping[str, str], secrets: dict[str, list[str]]) -> Any:
    found: list[str] = []
    filled = expanded(value, environ, found)
    if found:
        secrets[place] = found
    return filled


def _names(value: Any) -> list[str]:
    if isinstance(value, str):
        return [match[1] for match in REFERENCE.finditer(value) if match[1]]
    inside = (
        value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    )
    return [name for each in inside for name in _names(each)]


def _hash(spec: Spec, environ: Mapping[str, str]) -> str:
    filled = resolved(spec, environ)
    filled.pop("secrets", None)
    content = json.dumps(filled, sort_keys=True, ensure_ascii=False)
    return f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"
