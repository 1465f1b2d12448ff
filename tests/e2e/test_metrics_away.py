"""Where the numbers come from goes away in a soak: the judge says ERROR, the rollout is held, people are asked."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from demo.children import free_port
from demo.lanes import DemoLane
from demo.stories.stage import Json
from tests.fakes.tcp_proxy import TcpProxy
from tests.support.e2e.acts import part
from tests.support.e2e.heard import said_once
from tests.support.e2e.stack import CONFIG, RATE, Stack, marks, opened
from tests.support.postgres import PostgresServer

pytestmark = [*marks("metrics"), pytest.mark.real]
LANE = DemoLane("checkout", "endurance", RATE)
RELEASE = {"service": "{service}", "environment": "{environment}", "version": "{version}"}


def scraped(folder: Path, host_port: int, seen_at: int) -> Path:
    """The catalog, with one service judged by what Prometheus would read of the router, seen through a proxy."""
    shutil.copytree(CONFIG, folder)
    services = yaml.safe_load((folder / "services.yaml").read_text())
    services["services"]["checkout"] |= {"policy": "impatient"}
    services["targets"] = {"local": {"kind": "process", "users": "host", "metrics": f"127.0.0.1:{host_port}"}}
    services["metrics"] = {
        "prometheus": {
            "kind": "scrape",
            "url": f"http://127.0.0.1:{seen_at}/metrics",
            "timeout": "1s",
            "total": {"metric": "slipway_router_requests_total", "labels": RELEASE},
            "bad": {"metric": "slipway_router_requests_total", "labels": {**RELEASE, "outcome": "error"}},
            "latency": {"metric": "slipway_router_request_duration_seconds", "labels": RELEASE},
        }
    }
    (folder / "services.yaml").write_text(yaml.safe_dump(services))
    team = yaml.safe_load((folder / "team.yaml").read_text())
    for section in ("targets", "metrics"):
        team.pop(section)
    team["defaults"]["metrics"] = ["prometheus"]
    (folder / "team.yaml").write_text(yaml.safe_dump(team))
    return folder


async def test_scrape_away_in_a_soak_holds_asks_people_and_goes_on_when_it_is_back(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    host_port, name = free_port(), await postgres.fresh()
    async with TcpProxy("127.0.0.1", host_port) as proxy:
        config = scraped(tmp_path / "catalog", host_port, proxy.port)
        async with opened((LANE,), postgres.dsn(name), config=config) as stack:
            before = await stack.stage.last_message("deploys")
            id_ = await stack.deploy("checkout", "1.6.0", "endurance")
            await stack.phase(id_, "soaking")
            await proxy.cut()
            row = await stack.phase(id_, "held")
            assert part(row, "judge")["verdict"]["outcome"] == "ERROR"
            asked = await stack.until("people to be asked", lambda: call(stack, before))
            assert asked["notified"] == ["oncall"], asked
            labels = {b["label"] for b in (await stack.button(id_, "Promote"))["buttons"]}
            assert {"Extend", "Promote", "Roll back"} <= labels
            assert 0 < await share(stack) < 1
            proxy.mend()
            await stack.phase(id_, "succeeded")
            await stack.served_by("checkout", "endurance", "1.6.0")
            await said_once(stack, id_)
    await postgres.drop(name)


async def share(stack: Stack) -> float:
    """Of the candidate in the users' answers: being held moves no traffic."""
    return float((await stack.stage.users("checkout", "endurance"))["shares"].get("1.6.0", 0.0))


async def call(stack: Stack, after: int) -> Json | None:
    """The message that mentions people; a card never does, and says of itself that it is held."""
    newer = [m for m in await stack.stage.messages("deploys") if int(m["id"]) > after]
    return next((m for m in newer if m["content"] and "is on hold" in m["text"]), None)
