"""Regressions: one issue for each quarantine in production, which is over when the issue is closed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.domain.records import AuditEntry, Lock
from bot.domain.rollout.model import SYSTEM, Lane
from bot.domain.watch.incidents.incident import Incident
from bot.engine.watch.incidents.api import IncidentOpening
from bot.engine.watch.incidents.regressions import Regressions
from bot.ports.errors import SinkRefused, Unreachable
from bot.ports.watch.regressions import RegressionDraft, RegressionIssue
from tests.support.actors import DEV
from tests.support.alerts import AlertWorld
from tests.support.catalogs import GUILD, PRODUCTION, STAGING
from tests.support.virtual_time import EPOCH

DIGEST = "sha256:" + "ab" * 32


class Tracker:
    """Issues in memory. fails: raised once, after the issue was made if `lost`."""

    repository = "acme/ops"

    def __init__(self) -> None:
        self.enabled = True
        self.issues: dict[str, RegressionIssue] = {}
        self.drafts: list[RegressionDraft] = []
        self.fails: Exception | None = None
        self.asked = 0

    async def find(self, draft: RegressionDraft) -> RegressionIssue | None:
        self.asked += 1
        self._fail()
        return self.issues.get(draft.key)

    async def open(self, draft: RegressionDraft) -> RegressionIssue:
        if draft.key not in self.issues:
            number = len(self.issues) + 1
            self.issues[draft.key] = RegressionIssue(
                "acme/ops", number, f"https://github.com/acme/ops/issues/{number}"
            )
            self.drafts.append(draft)
        self._fail()
        return self.issues[draft.key]

    def close(self) -> None:
        self.issues = {key: replace(each, closed=True) for key, each in self.issues.items()}

    def _fail(self) -> None:
        failed, self.fails = self.fails, None
        if failed is not None:
            raise failed


class RegressionWorld(AlertWorld):
    def __init__(self) -> None:
        super().__init__()
        self.tracker: Tracker | None = Tracker()
        self.regressions = self.restarted()

    def restarted(self) -> Regressions:
        return Regressions(
            self.store, lambda: self.catalog, lambda: self.tracker, self.clock, self.incidents.tell
        )

    @property
    def there(self) -> Tracker:
        assert self.tracker is not None
        return self.tracker

    async def quarantine(self, lane: Lane = PRODUCTION, digest: str = DIGEST) -> None:
        now = self.clock.now()
        reason = "1.5.0 was rolled back automatically: 52% of requests fail @everyone"
        lock = Lock(lane, 0, "Slipway", reason, now, None, digest, now if digest else None)
        await self.store.lanes.lock(lock, AuditEntry(lane, SYSTEM, now, "locked", reason))

    async def passes(self, seconds: float = 0) -> None:
        self.clock.forward(seconds)
        await self.regressions.once()

    async def locked(self) -> bool:
        return PRODUCTION in await self.store.lanes.locks(self.clock.now())

    async def incident(self) -> Incident:
        return await self.incidents.open(IncidentOpening(GUILD, DEV, "Payments fail", lane=PRODUCTION))

    def told(self) -> list[str]:
        entries = [entry for _, entry in self.database.tables.incident_entries]
        return [entry.text for entry in entries if entry.what == "regression"]


async def test_a_quarantine_in_production_has_one_issue_with_the_evidence() -> None:
    world = RegressionWorld()
    await world.incident()
    world.deployed(10, "rolled_back", outcome="Too many errors.")
    await world.quarantine()
    for _ in range(4):
        world.regressions = world.restarted()
        await world.passes(400)
    (draft,) = world.there.drafts
    assert draft.title.startswith("Regression in checkout/production: 1.5.0 was rolled back")
    assert "1.4.0 -> 1.5.0 by dev: rolled_back Too many errors." in draft.text
    assert f"Release: {DIGEST}" in draft.text
    assert "incident_opened by dev" in draft.text
    assert world.told() == ["The regression is issue acme/ops#1, https://github.com/acme/ops/issues/1."]
    assert await world.locked()


async def test_other_locks_and_lanes_without_a_gate_have_none() -> None:
    world = RegressionWorld()
    await world.quarantine(STAGING)
    await world.quarantine(PRODUCTION, "")
    await world.passes()
    world.tracker = None
    await world.quarantine()
    await world.passes()
    assert await world.locked()


async def test_a_sink_that_is_not_enabled_says_once_what_it_would_do_and_does_it_later() -> None:
    world = RegressionWorld()
    await world.incident()
    world.there.enabled = False
    await world.quarantine()
    for _ in range(3):
        world.regressions = world.restarted()
        await world.passes(400)
    assert (world.there.drafts, world.there.asked) == ([], 0)
    (said,) = world.told()
    assert said.startswith("Slipway would open an issue labelled `regression` in acme/ops")
    world.there.enabled = True
    await world.passes(1)
    assert len(world.there.drafts) == 1


async def test_the_quarantine_is_over_when_the_issue_is_closed() -> None:
    world = RegressionWorld()
    await world.quarantine()
    await world.passes()
    await world.passes(299)
    world.there.close()
    assert await world.locked()
    await world.passes(1)
    assert not await world.locked()
    (line,) = [row.line for row in world.database.tables.audit if row.line.what == "unlocked"]
    assert line.why == "Issue acme/ops#1 was closed, so the quarantine is over."
    # Another rollback of the same release is another regression.
    world.clock.forward(60)
    await world.quarantine()
    await world.passes()
    await world.passes(300)
    assert len(world.there.drafts) == 2
    assert await world.locked()


async def test_a_webhook_is_believed_once_github_says_so_too() -> None:
    world = RegressionWorld()
    await world.quarantine()
    await world.passes()
    asked = world.there.asked
    await world.regressions.closed(["acme/ops#77"])
    await world.passes(1)
    assert world.there.asked == asked
    await world.restarted().closed(["acme/ops#1"])  # by the process that has the web server
    await world.passes(1)
    assert world.there.asked == asked + 1
    assert await world.locked()
    await world.passes(1)
    assert world.there.asked == asked + 1
    world.there.close()
    await world.regressions.closed(["acme/ops#1"])
    await world.passes(1)
    assert not await world.locked()


async def test_failures_are_tried_again_and_open_no_second_issue() -> None:
    world = RegressionWorld()
    await world.quarantine()
    world.there.fails = Unreachable("no answer")
    await world.passes()
    assert len(world.there.issues) == 1
    await world.passes(29)
    await world.passes(1)
    assert [len(world.there.issues), len(world.there.drafts)] == [1, 1]
    world.there.close()
    world.there.fails = SinkRefused("GitHub refuses the token (401)")
    await world.passes(300)
    await world.passes(3599)
    assert await world.locked()
    await world.passes(1)
    assert not await world.locked()


async def test_a_lock_that_a_person_changed_keeps_its_issue_and_one_lifted_stays_lifted() -> None:
    world = RegressionWorld()
    await world.quarantine()
    await world.passes()
    began = world.clock.now()
    world.clock.forward(60)
    now = world.clock.now()
    again = Lock(PRODUCTION, DEV.id, DEV.name, "leave it", now, now + timedelta(days=9), DIGEST, began)
    await world.store.lanes.lock(again, AuditEntry(PRODUCTION, DEV, now, "locked", "leave it"))
    await world.passes(1)
    assert len(world.there.drafts) == 1
    await world.store.lanes.unlock(PRODUCTION, AuditEntry(PRODUCTION, DEV, now, "unlocked", "fixed"))
    world.there.close()
    await world.passes(300)
    assert not await world.locked()
    assert len(world.there.drafts) == 1


async def test_a_persons_own_lock_is_not_lifted_with_the_quarantine() -> None:
    world = RegressionWorld()
    for number in (1, 2):
        # They locked the lane for reasons of their own, and a rollback quarantined its release under that lock.
        now = world.clock.now()
        mine = Lock(PRODUCTION, DEV.id, DEV.name, "the fair", EPOCH, None, DIGEST, now)
        await world.store.lanes.lock(mine, AuditEntry(PRODUCTION, SYSTEM, now, "quarantined", "the fair"))
        await world.passes()
        assert len(world.there.drafts) == number
        assert world.there.drafts[-1].since == now
        world.there.close()
        await world.passes(300)
        held = (await world.store.lanes.locks(world.clock.now()))[PRODUCTION]
        assert (held.owner, held.reason, held.digest) == (DEV.name, "the fair", "")
        line = world.database.tables.audit[-1].line
        assert (line.what, line.why) == (
            "released",
            f"Issue acme/ops#{number} was closed, so the quarantine is over. The lock of {DEV.name} stays.",
        )
        world.clock.forward(60)
