"""The OpenAPI description is true: schemathesis makes requests from it, good and bad, and holds every answer to it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.web.api.models import EXAMPLE_TIME
from bot.web.api.openapi import description
from bot.web.api.operations import OPERATIONS
from tests.support.actors import BOSS
from tests.support.api import Api, serving
from tests.support.catalogs import catalog
from tests.support.harness import World
from tests.support.oncall import schedule, with_schedules

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(900)]

# Enough to meet every parameter and field with good and bad values; the same ones each time.
EXAMPLES = 40


async def schemathesis(api: Api, folder: Path) -> tuple[int | None, str]:
    """Its exit code and report. The time of the examples is brought into the near future: overrides must end there."""
    served = (await api(None, "GET", "/openapi.json")).body
    soon = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    described = folder / "openapi.json"
    described.write_text(json.dumps(served).replace(EXAMPLE_TIME, soon))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "run", str(described), "--url", f"{api.base}/api/v1"),
        *("--header", f"Authorization: Bearer {api.secrets['boss']}"),
        *("--phases", "examples,coverage,fuzzing,stateful", "--mode", "all", "--checks", "all"),
        *("--max-examples", str(EXAMPLES), "--request-timeout", "60"),
        *("--generation-deterministic", "--no-color", "--suppress-health-check", "all"),
        cwd=folder,
        # It goes through sets of names: in the same order each time.
        env=os.environ | {"PYTHONHASHSEED": "0"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), 600)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, said.decode(errors="replace")


async def test_every_answer_is_as_described(dsn: str, tmp_path: Path) -> None:
    async with serving(dsn, World(dsn, with_schedules(catalog(), schedule()))) as api:
        await api.token("boss", BOSS)
        code, said = await schemathesis(api, tmp_path)
        assert code == 0, said
        assert f"Tested: {len(OPERATIONS)}" in said
        # It came past validation: its examples name what the catalog has.
        assert (await api("boss", "GET", "/rollouts")).body["rollouts"]
        assert await api.slipway.audit("on_call_override")


async def test_the_description_is_served_without_a_token(dsn: str) -> None:
    async with serving(dsn, working=False) as api:
        answer = await api(None, "GET", "/openapi.json")
        assert (answer.status, answer.body) == (200, json.loads(json.dumps(description())))


def test_every_operation_and_model_is_described() -> None:
    found = description()
    operations = [each for path in found["paths"].values() for each in path.values()]
    assert [o["operationId"] for o in operations] == sorted(
        (o.name for o in OPERATIONS), key=[o["operationId"] for o in operations].index
    )
    assert found["openapi"].startswith("3.1")
    known = {f"#/components/schemas/{name}" for name in found["components"]["schemas"]}
    known |= {f"#/components/responses/{name}" for name in found["components"]["responses"]}
    assert set(references(found)) == known


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if "$ref" in value else []
        return own + [found for each in value.values() for found in references(each)]
    return [found for each in value for found in references(each)] if isinstance(value, list) else []
