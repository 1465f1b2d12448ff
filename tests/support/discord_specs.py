"""Discord's OpenAPI description as an oracle for request bodies.

The file is not part of the repository. It is looked for in the folder `SLIPWAY_DISCORD_SPECS` and, beside the
repository, in `shared/discord`; without it the checks are skipped, with a notice.
"""

import functools
import json
import os
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

NAME = "openapi.json"


def _folder() -> Path | None:
    beside = Path(__file__).resolve().parents[2].parent / "shared" / "discord"
    for place in (os.environ.get("SLIPWAY_DISCORD_SPECS"), beside):
        if place and (Path(place) / NAME).is_file():
            return Path(place)
    return None


needs_specs = pytest.mark.skipif(
    _folder() is None,
    reason="Discord's description is not here: set SLIPWAY_DISCORD_SPECS to check against them",
)


@functools.cache
def _openapi() -> dict[str, Any]:
    folder = _folder()
    assert folder is not None
    loaded: dict[str, Any] = json.loads((folder / NAME).read_text())
    return loaded


@functools.cache
def _templates() -> list[tuple[re.Pattern[str], str]]:
    def pattern(template: str) -> str:
        return "".join(
            part if i % 2 == 0 else "[^/]+" for i, part in enumerate(re.split(r"(\{[^}]+\})", template))
        )

    paths = sorted(_openapi()["paths"], key=lambda path: path.count("{"))
    return [(re.compile(pattern(path)), path) for path in paths]


@functools.cache
def _request(method: str, template: str) -> jsonschema_rs.Draft202012Validator:
    content = _openapi()["paths"][template][method.lower()]["requestBody"]["content"]
    schema = {**content["application/json"]["schema"], "components": _openapi()["components"]}
    return jsonschema_rs.Draft202012Validator(schema)


def request_errors(method: str, path: str, body: object) -> list[str]:
    """What Discord's description says against this body; empty when it takes it."""
    template = next(template for pattern, template in _templates() if pattern.fullmatch(path))
    errors = _request(method, template).iter_errors(body)
    return [f"{'/'.join(map(str, e.instance_path))}: {e.message[:200]}" for e in errors]
