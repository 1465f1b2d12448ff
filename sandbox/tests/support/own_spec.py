"""The description of the JSON API as an oracle for its answers."""

import functools
import re
from typing import Any

import jsonschema_rs

from discord_sandbox.api.openapi import description
from discord_sandbox.api.routes import BASE, ROUTES

DESCRIPTION: dict[str, Any] = description(ROUTES, BASE)


def validator(schema: Any) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator({**schema, "components": DESCRIPTION["components"]})


@functools.cache
def _answer(method: str, template: str, status: int) -> jsonschema_rs.Draft202012Validator:
    responses = DESCRIPTION["paths"][template][method.lower()]["responses"]
    assert str(status) in responses, f"{method} {template} never answers {status}"
    return validator(responses[str(status)]["content"]["application/json"]["schema"])


@functools.cache
def _template(method: str, path: str) -> str | None:
    for one in ROUTES:
        if one.method == method and re.fullmatch(re.sub(r"{\w+}", "[^/]+", one.path), path):
            return one.path
    return None


def check_api(method: str, path: str, status: int, body: object) -> None:
    """Assert that the description allows this answer. What a registered service answers may be anything."""
    template = _template(method, path)
    if template is not None and template.startswith("/services/") and status < 400:
        return
    checked = (
        validator({"$ref": "#/components/schemas/Error"})
        if template is None
        else _answer(method, template, status)
    )
    errors = [f"{'/'.join(map(str, e.instance_path))}: {e.message[:300]}" for e in checked.iter_errors(body)]
    assert not errors, f"{method} {path} {status}: {errors[:5]}"
