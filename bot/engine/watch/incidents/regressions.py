"""Regressions: an issue for each release that was rolled back in production, quarantined until that is closed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta

import structlog

from bot.domain import phrasebook
from bot.domain.config import Catalog
from bot.domain.records import AuditEntry, Lock
from bot.domain.rollout.model import SYSTEM, Lane
from bot.ports.coordination import Clock
from bot.ports.errors import RateLimited, SinkRefused, Unreachable
from bot.ports.retention import NoteKind
from bot.ports.store import Store
from bot.ports.watch.regressions import RegressionDraft, RegressionIssue, RegressionTracker

log = structlog.get_logger(__name__)

_NOTE: NoteKind = "regression"
_CLOSED: NoteKind = "issue_closed"
_AUDIT_LINES, _DEPLOYS = 30, 5
_BEFORE = timedelta(hours=1)
# Whether an issue was closed is asked so often where no webhook tells of it, and after a failure.
_ASK_S, _AGAIN_S, _REFUSED_S = 300.0, 30.0, 3600.0

Tell = Callable[[Lane, str], Awaitable[None]]


class Regressions:
    """One process does this for all. What it did is a note for each quarantine; an issue is found again by its marker.

    tracker: of the present catalog; None while it has none. tell: adds a line to open incidents of a lane.
    """

    def __init__(
        self,
        store: Store,
        catalog: Callable[[], Catalog],
        tracker: Callable[[], RegressionTracker | None],
        clock: Clock,
        tell: Tell,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._tracker = tracker
        self._clock = clock
        self._tell = tell
        self._now: datetime | None = None
        self._look_at: dict[str, datetime] = {}

    async def once(self) -> bool:
        """One round of a loop: open what is missing, and lift quarantines of issues that were closed."""
        tracker = self._tracker()
        if tracker is None:
            return False
        now = self._clock.now()
        if self._now is not None and now < self._now:
            self._look_at.clear()  # the clock was set back
        self._now = now
        quarantined = [lock for lock in (await self._store.lanes.locks(now)).values() if self._counts(lock)]
        for lock in quarantined:
            key = key_of(lock)
            try:
                await self._look(tracker, lock, key, now)
            except SinkRefused as refusal:
                log.error("regression_refused", lane=str(lock.lane), why=str(refusal))
                self._look_at[key] = now + timedelta(seconds=_REFUSED_S)
            except Unreachable as away:
                log.warning("regression_not_told", lane=str(lock.lane), why=str(away))
                pause = max(_AGAIN_S, away.again_s) if isinstance(away, RateLimited) else _AGAIN_S
                self._look_at[key] = now + timedelta(seconds=pause)
        known = {key_of(lock) for lock in quarantined}
        self._look_at = {key: at for key, at in self._look_at.items() if key in known}
        return False

    async def closed(self, issues: Sequence[str]) -> None:
        """What a webhook says was closed, as `owner/name#12`. GitHub itself is asked before anything is lifted."""
        for name in issues:
            await self._store.notes.put_note(_CLOSED, name[:200], {"at": self._clock.now().isoformat()})

    def _counts(self, lock: Lock) -> bool:
        config = self._catalog().lanes.get(lock.lane)
        return bool(lock.digest) and config is not None and config.gated

    async def _look(self, tracker: RegressionTracker, lock: Lock, key: str, now: datetime) -> None:
        note = await self._note(lock, key)
        due = now >= self._look_at.get(key, now)
        if note is None or note.get("state") == "dry_run":
            if tracker.enabled:
                if due:
                    await self._open(tracker, lock, key, now)
            elif note is None:
                said = phrasebook.would_open_issue(tracker.repository)
                log.info("regression_dry_run", lane=str(lock.lane), would=said)
                await self._store.notes.put_note(_NOTE, key, {"state": "dry_run", **_times(lock)})
                await self._tell(lock.lane, said)
            return
        hint = await self._store.notes.note(_CLOSED, str(note["issue"]))
        hinted = hint is not None and hint.get("at") != note.get("asked")
        if tracker.enabled and (
            due or (hinted and self._look_at.get(key, now) - now > timedelta(seconds=_AGAIN_S))
        ):
            await self._ask(tracker, lock, note, hint, now)

    async def _note(self, lock: Lock, key: str) -> Mapping[str, object] | None:
        """What was done about this quarantine; None for a new one, also of a release that was quarantined before."""
        note = await self._store.notes.note(_NOTE, key)
        return note if note is not None and note["began"] == _began(lock).isoformat() else None

    async def _open(self, tracker: RegressionTracker, lock: Lock, key: str, now: datetime) -> None:
        issue = await tracker.open(await self._draft(lock))
        said = phrasebook.issue_opened(issue.name, issue.url)
        entry = AuditEntry(lock.lane, SYSTEM, now, "regression", said, details={"issue": issue.name})
        await self._store.lanes.record(entry)
        await self._store.notes.put_note(_NOTE, key, {"state": "open", "issue": issue.name, **_times(lock)})
        await self._tell(lock.lane, said)
        self._look_at[key] = now + timedelta(seconds=_ASK_S)

    async def _ask(
        self,
        tracker: RegressionTracker,
        lock: Lock,
        note: Mapping[str, object],
        hint: Mapping[str, object] | None,
        now: datetime,
    ) -> None:
        key = key_of(lock)
        issue = await tracker.find(await self._draft(lock))
        self._look_at[key] = now + timedelta(seconds=_ASK_S)
        if issue is not None and issue.closed:
            await self._lift(lock, issue, now)
        elif hint is not None:
            await self._store.notes.put_note(_NOTE, key, {**note, "asked": hint["at"]})

    async def _lift(self, lock: Lock, issue: RegressionIssue, now: datetime) -> None:
        """Unless it is over, or another one, meanwhile. A person's own lock of the lane stays."""
        said = phrasebook.issue_closed(issue.name, lock.owner if lock.owner_id else "")
        details = {"owner": lock.owner, "digest": lock.digest, "issue": issue.name}
        what = "released" if lock.owner_id else "unlocked"
        entry = AuditEntry(lock.lane, SYSTEM, now, what, said, details=details)
        self._look_at.pop(key_of(lock), None)
        if await self._store.lanes.lift(lock, entry):
            log.info("quarantine_lifted", lane=str(lock.lane), issue=issue.name)
            await self._tell(lock.lane, said)

    async def _draft(self, lock: Lock) -> RegressionDraft:
        began = _began(lock)
        since, until = began - _BEFORE, began + _BEFORE
        rollouts = await self._store.history.history([lock.lane], None, _DEPLOYS)
        happened = await self._store.history.happened(lock.lane, since, until, _AUDIT_LINES)
        lines = [
            f"Lane: {lock.lane}",
            f"Quarantined: {_at(began)}",
            f"Why: {lock.reason}",
            f"Release: {lock.digest}",
            "",
            "Rollouts, newest first:",
            *(
                f"{each.id} {_at(each.created_at)} {each.from_version or 'nothing'} -> {each.to_version} "
                f"by {each.requester}: {each.phase} {each.outcome}"
                for each in rollouts
            ),
            "",
            "Around it:",
            *(f"{_at(each.at)} {each.what} by {each.actor.name}: {each.why}" for each in happened),
        ]
        return RegressionDraft(
            f"{key_of(lock)}/{began.timestamp():.0f}",
            f"Regression in {lock.lane}: {lock.reason}",
            "\n".join(" ".join(line.split())[:500] for line in lines)[:30_000],
            phrasebook.CLOSE_LIFTS,
            began,
        )


def key_of(lock: Lock) -> str:
    """Names the quarantine of a release in its lane, at most 200 characters."""
    return f"{lock.lane}/{lock.digest[-64:]}"[:200]


def _times(lock: Lock) -> dict[str, object]:
    return {"began": _began(lock).isoformat()}


def _began(lock: Lock) -> datetime:
    """When the release was quarantined; people may have locked the lane before, or changed the lock since."""
    return lock.quarantined_at or lock.since


def _at(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
