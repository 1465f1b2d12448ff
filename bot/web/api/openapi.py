"""OpenAPI 3.1 description of the API, made from the table of operations and their models."""

from __future__ import annotations

import functools
import json
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from bot import __version__
from bot.web.api import PREFIX, models
from bot.web.api.operations import OPERATIONS, REFUSALS, Operation
from bot.web.api.problems import CONTENT_TYPE

_REF = "#/components/schemas/{model}"
_ABOUT = (
    "What people do in Discord, for pipelines and scripts: the same gates, roles, locks and audit. "
    "`slipway token create` makes a token."
)


@functools.cache
def text() -> str:
    return json.dumps(description(), indent=2)


def description() -> dict[str, Any]:
    """The whole description, as JSON values."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Slipway", "version": __version__, "description": _ABOUT},
        "servers": [{"url": PREFIX}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "responses": _refusals(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    needed = f"Needs the scope `{operation.scope}`." if operation.scope else ""
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": " ".join(filter(None, (operation.details, needed))),
        "responses": _responses(operation),
    }
    if parameters := list(_parameters(operation)):
        described["parameters"] = parameters
    if operation.body is not None:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _reference(operation.body)}},
        }
    return described


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    places = [("path", operation.in_path), ("query", operation.query)]
    places += [("header", models.KeyHeader)] if operation.keyed else []
    return [
        _parameter(place, name, schema, model)
        for place, model in places
        for name, schema in model.model_json_schema().get("properties", {}).items()
    ]


def _parameter(place: str, name: str, schema: dict[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    kept = {key: value for key, value in schema.items() if key not in ("title", "description", "default")}
    # A parameter that is not given is left out; there is no way to write null.
    choices = [choice for choice in kept.pop("anyOf", []) if choice.get("type") != "null"]
    for choice in choices:
        kept |= choice
    if schema.get("default") is not None:
        kept["default"] = schema["default"]
    required = name in model.model_json_schema().get("required", [])
    described = {"name": name, "in": place, "required": required, "schema": kept}
    return described | ({"description": schema["description"]} if "description" in schema else {})


def _responses(operation: Operation) -> dict[str, Any]:
    success: dict[str, Any] = {
        "description": "Done." if operation.method == "POST" else "Found.",
        "content": {"text/csv": {"schema": {"type": "string"}}}
        if operation.csv
        else {"application/json": {"schema": _reference(operation.answer)}},
    }
    if operation.status == 201:
        success["headers"] = {"Location": {"schema": {"type": "string"}, "description": "The rollout."}}
        success["links"] = {
            each.name: {"operationId": each.name, "parameters": {"rollout": "$response.body#/id"}}
            for each in OPERATIONS
            if each.in_path is models.RolloutPath
        }
    without = set() if operation.body is not None else {400, 413, 415}
    refused = {
        str(status): {"$ref": f"#/components/responses/{_name(status)}"}
        for status in REFUSALS
        if status not in without
    }
    return {str(operation.status): success, **refused}


def _schemas() -> dict[str, Any]:
    wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {}
    for operation in OPERATIONS:
        if operation.body is not None:
            wanted[operation.body, "validation"] = None
        if not operation.csv:
            wanted[operation.answer, "serialization"] = None
    wanted[models.ProblemInfo, "serialization"] = None
    _, found = models_json_schema(list(wanted), ref_template=_REF)
    schemas: dict[str, Any] = found["$defs"]
    return schemas


def _refusals() -> dict[str, Any]:
    again = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds."}}
    problem = {CONTENT_TYPE: {"schema": _reference(models.ProblemInfo)}}
    return {
        _name(status): {
            "description": when,
            "content": problem,
            **({"headers": again} if "`Retry-After`" in when else {}),
        }
        for status, when in REFUSALS.items()
    }


def _name(status: int) -> str:
    return HTTPStatus(status).name.title().replace("_", "")


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}
