"""Discord's own descriptions as oracles for REST answers and gateway payloads."""

import copy
import functools
import gzip
import json
import re
from typing import Any

import jsonschema_rs

from discord_sandbox.server import ENDPOINTS
from support.paths import TESTS

FOLDER = TESTS / "descriptions"


def _read(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(gzip.decompress((FOLDER / f"{name}.gz").read_bytes()))
    return loaded


@functools.cache
def _openapi() -> dict[str, Any]:
    return _read("openapi.json")


def _bare(route: str) -> str:
    return re.sub(r"{[^}]*}", "{}", route)


def modelled() -> list[str]:
    """Discord's names of the routes that the sandbox has: `GET /channels/{channel_id}`."""
    known = {_bare(f"{one.method} {one.path}") for one in ENDPOINTS}
    routes = [
        f"{method.upper()} {path}"
        for path, here in _openapi()["paths"].items()
        for method in here
        if method != "parameters"
    ]
    return [route for route in routes if _bare(route) in known]


def only(routes: list[str]) -> dict[str, Any]:
    """The description with these routes alone, and with bodies as JSON alone."""
    paths: dict[str, Any] = {}
    for route in routes:
        method, path = route.split(" ")
        here = _openapi()["paths"][path]
        operation = dict(here[method.lower()])
        if "requestBody" in operation:
            kinds = operation["requestBody"]["content"]
            operation["requestBody"] = operation["requestBody"] | {
                "content": {"application/json": kinds["application/json"]}
            }
        paths.setdefault(path, {"parameters": here.get("parameters", [])})[method.lower()] = operation
    return _openapi() | {"paths": paths}


@functools.cache
def _body(route: str) -> jsonschema_rs.Draft202012Validator:
    method, path = route.split(" ")
    content = _openapi()["paths"][path][method.lower()]["requestBody"]["content"]
    schema = {**content["application/json"]["schema"], "components": _openapi()["components"]}
    return jsonschema_rs.Draft202012Validator(schema)


def is_valid(route: str, body: Any) -> bool:
    """Whether the description allows this body. Discord also reads numbers as texts, and digits as numbers."""
    if isinstance(body, bytes):
        return False
    read = copy.deepcopy(body)
    for error in _body(route).iter_errors(body):
        holder, keys = read, list(error.instance_path)
        for key in keys[:-1]:
            holder = holder[key]
        if not keys or not isinstance(value := holder[keys[-1]], int | float | str) or value is True:
            return False
        holder[keys[-1]] = int(value) if isinstance(value, str) and value.isdecimal() else str(value)
    return bool(_body(route).is_valid(read))


def resolved(part: Any) -> Any:
    """A part of the REST API's description, with its reference followed."""
    while "$ref" in part:
        name = part["$ref"]
        part = _openapi()
        for key in name.removeprefix("#/").split("/"):
            part = part[key]
    return part


@functools.cache
def _response(method: str, template: str, status: int) -> jsonschema_rs.Draft202012Validator | None:
    operation = _openapi()["paths"][template][method.lower()]
    responses = operation["responses"]
    found = responses.get(str(status)) or responses.get(f"{status // 100}XX") or {}
    if "$ref" in found:
        found = _openapi()["components"]["responses"][found["$ref"].split("/")[-1]]
    content = found.get("content")
    assert str(status) in responses or status >= 400, f"{method} {template} never answers {status}"
    if not content:
        return None
    schema = {**content["application/json"]["schema"], "components": _openapi()["components"]}
    return jsonschema_rs.Draft202012Validator(schema)


@functools.cache
def _templates() -> list[tuple[re.Pattern[str], str]]:
    def pattern(template: str) -> str:
        return "".join(
            part if i % 2 == 0 else "[^/]+" for i, part in enumerate(re.split(r"(\{[^}]+\})", template))
        )

    paths = sorted(_openapi()["paths"], key=lambda path: path.count("{"))
    return [(re.compile(pattern(path)), path) for path in paths]


def check_rest(method: str, path: str, status: int, body: object) -> None:
    """Assert that Discord's description allows this answer. Of errors, check code and message."""
    template = next(template for pattern, template in _templates() if pattern.fullmatch(path))
    if status >= 400:
        assert isinstance(body, dict)
        assert isinstance(body["code"], int)
        assert isinstance(body["message"], str)
        return
    validator = _response(method, template, status)
    if validator is None:
        assert body is None, f"{method} {template} answers {status} without a body"
        return
    errors = [f"{'/'.join(map(str, e.instance_path))}: {e.message}" for e in validator.iter_errors(body)]
    assert not errors, f"{method} {template} {status}: {errors[:5]}"


@functools.cache
def _gateway(name: str) -> jsonschema_rs.Draft7Validator:
    document = _read("gateway-types.schema.json")
    for key, definition in document["definitions"].items():
        if key.endswith("Flags") and definition.keys() & {"enum", "const"}:
            document["definitions"][key] = {"type": "integer"}
    return jsonschema_rs.Draft7Validator({**document, "$ref": f"#/definitions/{name}"})


def check_gateway(name: str, data: object) -> None:
    """Assert that a dispatch's data has its type in discord-api-types (`Ready`, `GuildCreate`, `Slash` …)."""
    errors = [
        f"{'/'.join(map(str, e.instance_path))}: {e.message[:300]}" for e in _gateway(name).iter_errors(data)
    ]
    assert not errors, f"{name}: {errors[:5]}"
