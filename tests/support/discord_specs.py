"""Discord's own description as an oracle for the bodies of requests; it lies with the sandbox's tests."""

import functools
import gzip
import json
import re
from typing import Any

import jsonschema_rs

from tests.support.paths import ROOT

OPENAPI = ROOT / "sandbox" / "tests" / "descriptions" / "openapi.json.gz"


@functools.cache
def _openapi() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(gzip.decompress(OPENAPI.read_bytes()))
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
