"""An alert of another program through Slipway's database to PagerDuty, from beginning to end, over a restart."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from bot.adapters.alerts.sources.receiver import Receiver
from bot.adapters.postgres.connection.database import Database
from bot.adapters.postgres.store import PostgresStore
from bot.adapters.redis.waker import EventWaker
from bot.composition.adapters import make_alert_sources, make_sinks
from bot.domain.config import Catalog
from bot.domain.rollout.model import Rollout
from bot.engine.api import RollbackRequest
from bot.engine.watch.alerts.service import Alerts
from bot.engine.watch.alerts.sink_dispatcher import SinkDispatcher
from bot.engine.watch.alerts.sinks import Sinks
from bot.engine.watch.alerts.suspects import Suspects
from tests.fakes.sinks import ROUTING_KEY, PagerDuty, serving
from tests.support.alert_sources import ENVIRON, SOURCES, alertmanager_alert, alertmanager_body, bearer
from tests.support.catalog_files import SOUND, check, write
from tests.support.clocks import FrozenClock
from tests.support.waiting import until

BEGAN = datetime(2026, 11, 22, 14, 55, tzinfo=UTC)


async def no_rollback(request: RollbackRequest) -> Rollout:
    raise AssertionError("nothing asked for a rollback")


def read(folder: Path, pagerduty: PagerDuty) -> Catalog:
    sink = {
        "kind": "pagerduty",
        "routing_key": "${KEY}",
        "url": f"{pagerduty.url}/v2/enqueue",
        "enabled": True,
    }
    text = SOUND + SOURCES + yaml.safe_dump({"sinks": {"pager": sink}})
    found, mistakes = check(write(folder, all=text), {**ENVIRON, "KEY": ROUTING_KEY})
    assert not mistakes
    return found


async def test_what_an_alertmanager_says_becomes_one_incident_with_an_end(dsn: str, tmp_path: Path) -> None:
    pagerduty = PagerDuty(answers=[(503, "", {})])
    clock = FrozenClock(BEGAN)
    async with serving(pagerduty), Database(dsn, size=2) as database, aiohttp.ClientSession() as session:
        catalog, store = read(tmp_path / "catalog", pagerduty), PostgresStore(database)
        alerts = Alerts(store, lambda: catalog, clock=clock, waker=EventWaker(), roll_back=no_rollback)
        sources = make_alert_sources(lambda: catalog)
        receiver = Receiver(sources, alerts, now=lambda: clock.now().timestamp())

        def new_teller() -> SinkDispatcher:
            sinks = Sinks(lambda: catalog.sinks, make_sinks(lambda: catalog, session))
            last_deploy = Suspects(store, lambda: catalog).last_deploy
            return SinkDispatcher(sinks, store.alerts, store.notes, last_deploy, clock)

        async def hear(**over: Any) -> None:
            body = json.dumps(alertmanager_body(alertmanager_alert(**over))).encode()
            assert (await receiver.take("prometheus", bearer(), body))[0] == 200

        async def incidents() -> list[str]:
            await teller.once()
            return list(pagerduty.incidents.values())

        teller = new_teller()
        await hear()
        await hear()  # repeated, as an Alertmanager does
        clock.forward(3)

        async def failing() -> object:
            await teller.once()
            return teller.failing

        assert await until(failing) == {"pager": "PagerDuty answered 503 (1 alert)"}
        teller = new_teller()
        clock.forward(2)
        assert await until(incidents) == ["triggered"]
        teller = new_teller()
        ended = clock.now() + timedelta(seconds=1)
        clock.forward(2)
        await hear(status="resolved", endsAt=ended.isoformat())
        clock.forward(600)
        while await alerts.once():
            pass
        assert await until(incidents, lambda found: found == ["resolved"])
        assert len(pagerduty.opened) == 1
        assert await store.alerts.open() == []
        await until(incidents)
        assert await store.notes.note("sink", "pager") == {"alerts": {}}
