"""Starts of rollouts: deploys with their preflight checks, and returns to known-good releases."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from itertools import chain
from typing import TypeVar

from bot.domain import phrasebook
from bot.domain.config import LaneConfig
from bot.domain.errors import UserError
from bot.domain.formatting import clean
from bot.domain.records import Situation
from bot.domain.rollout import plans
from bot.domain.rollout.changes import Changes, known_changes, page
from bot.domain.rollout.machine import machine
from bot.domain.rollout.model import Action, Lane, Plan, Precondition, Release, Rollout
from bot.engine import api
from bot.engine.lanes import Lanes
from bot.engine.requests import preflight
from bot.engine.requests.actions import Actions
from bot.engine.requests.calibration import Tried, calibrated_policy, tried
from bot.engine.requests.lane_preconditions import lane_preconditions
from bot.engine.stepper import Contended, Stepper
from bot.ports.changes import ChangeSource
from bot.ports.errors import AlreadyAnswered, LaneTaken
from bot.ports.preconditions import PreconditionSource
from bot.ports.store import Store

T = TypeVar("T")

_TRIES = 5
# Take about a second of processor time, beside the loop; and about five.
_REPLAYS, _MANY_REPLAYS = 60, 300


class Deploys:
    """Begins rollouts. An interaction begins one rollout, however often it is delivered.

    look_up_s: how long a dry run waits for `changes`. The card of a rollout waits longer, since it can be drawn again.
    """

    def __init__(
        self,
        store: Store,
        lanes: Lanes,
        stepper: Stepper,
        actions: Actions,
        *,
        preconditions: PreconditionSource | None,
        changes: ChangeSource | None,
        look_up_s: float,
    ) -> None:
        self._preconditions = preconditions
        self._changes = changes
        self._look_up_s = look_up_s
        self._store = store
        self._lanes = lanes
        self._stepper = stepper
        self._actions = actions

    async def deploy(self, request: api.DeployRequest) -> Rollout | api.DryRun:
        return await _in_time(lambda: self._deploy(request))

    async def roll_back(self, request: api.RollbackRequest) -> Rollout:
        return await _in_time(lambda: self._roll_back(request))

    async def backtest(self, guild_id: int, service: str, environment: str) -> Tried:
        """The judge on the lane's own history, with more replays than a dry run takes."""
        config = self._lanes.catalog.lane(guild_id, service, environment)
        return await tried(self._store, config, self._lanes.now(), replays=_MANY_REPLAYS)

    async def _deploy(self, request: api.DeployRequest) -> Rollout | api.DryRun | None:
        if told := await self._told(request.interaction):
            return told
        config = self._lanes.catalog.lane(request.guild_id, request.service, request.environment)
        candidate = request.release or await self._lanes.release(config.lane, request.version)
        situation = await self._lanes.situation(config.lane)
        if request.dry_run:
            return await self._dry_run(config, request, candidate, situation)
        facts = await self._facts(config, request, candidate, situation)
        found = preflight.checks(facts)
        plan = _plan(config, facts)
        try:
            preflight.require(found)
        except UserError:
            # The same interaction, delivered twice at once, is not in its own way.
            if told := await self._told(request.interaction):
                return told
            raise
        shout = " ".join(check.sentence for check in found if check.what == preflight.EMERGENCY)
        return await self._begin(
            config,
            plan,
            request,
            candidate,
            situation,
            known_good=False,
            shout=shout,
            preconditions=(*facts.preconditions, *(each for each in facts.lane_preconditions if each.met)),
        )

    async def _roll_back(self, request: api.RollbackRequest) -> Rollout | None:
        if told := await self._told(request.interaction):
            return told
        config = self._lanes.catalog.lane(request.guild_id, request.service, request.environment)
        situation = await self._lanes.situation(config.lane)
        if situation.active is not None:
            return await self._roll_back_active(request, situation.active)
        roles = tuple(dict.fromkeys((*config.policy.rollback_roles, *config.deploy_roles)))
        preflight.role(roles, request.actor, "roll back").require()
        release = request.release or earlier(config.lane, situation, request.version)
        undone = irreversible_since(situation, release)
        if undone is not None and not request.confirmed:
            raise phrasebook.confirm_irreversible(undone.version, undone.irreversible, release.version)
        return await self._begin(
            config, plans.straight(config.plan), request, release, situation, known_good=True, undone=undone
        )

    async def _roll_back_active(self, request: api.RollbackRequest, active: Rollout) -> Rollout:
        back_to = active.stable.version if active.stable else None
        if request.version not in (None, back_to):
            raise phrasebook.only_back_to(
                active.id, active.candidate.version, str(active.lane), back_to or ""
            )
        asked = api.ActRequest(
            rollout_id=active.id,
            action=Action.ROLL_BACK,
            actor=request.actor,
            guild_id=request.guild_id,
            reason=request.reason,
            interaction=request.interaction,
            confirmed=request.confirmed,
        )
        return (await self._actions.act(asked)).rollout

    async def _told(self, interaction: str) -> Rollout | None:
        """The rollout that this interaction began earlier, if it did."""
        told = await self._store.rollouts.answers([interaction]) if interaction else {}
        answer = told.get(interaction)
        loaded = await self._store.rollouts.load(answer.rollout_id) if answer else None
        return loaded.rollout if loaded else None

    async def _facts(
        self, config: LaneConfig, request: api.DeployRequest, candidate: Release, situation: Situation
    ) -> preflight.Facts:
        succeeded_at = None
        if config.prerequisite is not None:
            first = Lane(config.lane.service, config.prerequisite.environment)
            succeeded_at = await self._store.history.succeeded_at(first, candidate.identity)
            if succeeded_at is not None and request.verified_at is not None:
                succeeded_at = max(succeeded_at, request.verified_at)
        return preflight.Facts(
            config=config,
            actor=request.actor,
            candidate=candidate,
            situation=situation,
            now=self._lanes.now(),
            succeeded_at=succeeded_at,
            panic=await self._actions.stopped(config.lane, request.guild_id),
            emergency=request.emergency,
            reason=clean(request.reason),
            preconditions=await self._looked_at(config, candidate),
            lane_preconditions=await lane_preconditions(self._store, config, succeeded_at),
            renewing=await self._renewing(config.lane, candidate, situation),
        )

    async def _looked_at(self, config: LaneConfig, candidate: Release) -> tuple[Precondition, ...]:
        if not config.preconditions:
            return ()
        if self._preconditions is None:
            return (Precondition("github", False, "GitHub cannot be asked from here."),)
        asked = (self._preconditions.look(wanted, candidate) for wanted in config.preconditions)
        # The plan and the lane may ask for the same.
        return tuple(dict.fromkeys(chain.from_iterable(await asyncio.gather(*asked))))

    async def _renewing(self, lane: Lane, candidate: Release, situation: Situation) -> bool:
        """Whether the release runs here, but its success is too old for an environment with this prerequisite.

        Without this, production would send people to staging, and staging would refuse a release that runs already.
        """
        if situation.stable is None or situation.stable.digest != candidate.digest:
            return False
        ages = [
            config.prerequisite.max_age_s
            for config in self._lanes.catalog.lanes.values()
            if config.lane.service == lane.service
            and config.prerequisite is not None
            and config.prerequisite.environment == lane.environment
        ]
        if not ages:
            return False
        succeeded_at = await self._store.history.succeeded_at(lane, candidate.identity)
        return succeeded_at is not None and self._lanes.now() - succeeded_at > timedelta(seconds=min(ages))

    async def _dry_run(
        self,
        config: LaneConfig,
        request: api.DeployRequest,
        candidate: Release,
        situation: Situation,
    ) -> api.DryRun:
        facts, changed, readiness, found = await asyncio.gather(
            self._facts(config, request, candidate, situation),
            self._compared(config, _replaced(situation, candidate), candidate),
            self._lanes.readiness(config.lane, config.policy, situation.stable),
            tried(self._store, config, self._lanes.now(), replays=_REPLAYS),
        )
        return api.DryRun(
            lane=config.lane,
            stable=situation.stable,
            candidate=candidate,
            steps=plans.describe_plan(_plan(config, facts), config.policy.words),
            readiness=readiness,
            findings=tuple(check.finding for check in preflight.checks(facts)),
            words=config.policy.words,
            changes=changed,
            backtest=found.backtest,
            not_replayed=found.not_replayed,
            short_soaks=found.short_soaks,
        )

    async def _compared(
        self, config: LaneConfig, stable: Release | None, candidate: Release
    ) -> Changes | None:
        """What the card of a rollout would say, as far as it can be found out at once."""
        found = _known_changes(config, stable, candidate)
        if found is None or config.repository is None or not found.reading:
            return found
        if self._changes is not None:
            try:
                async with asyncio.timeout(self._look_up_s):
                    found = await self._changes.look(config.repository, found)
            except TimeoutError:
                found = replace(found, problem=f"no answer within {self._look_up_s:g} s.")
        return replace(found, reading=False)

    async def _begin(
        self,
        config: LaneConfig,
        plan: Plan,
        request: api.DeployRequest | api.RollbackRequest,
        candidate: Release,
        situation: Situation,
        *,
        known_good: bool,
        shout: str = "",
        undone: Release | None = None,
        preconditions: tuple[Precondition, ...] = (),
    ) -> Rollout | None:
        """Begin a rollout; None when the lane has changed (a repair, an abort on the host), or panic stop is on."""
        at = self._lanes.now()
        stable = _replaced(situation, candidate)
        # Someone waits for a return to what was good: it is not kept waiting by a look at the lane's history.
        policy = config.policy if known_good else await calibrated_policy(self._store, config, plan, at)
        stepped = machine.begin(
            id=await self._store.rollouts.next_id(),
            guild_id=request.guild_id,
            lane=config.lane,
            stable=stable,
            candidate=candidate,
            plan=plan,
            policy=policy,
            binding=config.bound,
            gated=config.gated,
            requester=request.actor,
            reason=clean(request.reason),
            at=at,
            generation=situation.row.generation if situation.row else 0,
            known_good=known_good,
            readiness=await self._lanes.readiness(config.lane, config.policy, stable),
            shout=shout,
            undone=undone,
            preconditions=preconditions,
            changes=_known_changes(config, stable, candidate),
        )
        try:
            servers = self._lanes.catalog.guilds_of(config.lane, request.guild_id)
            unless_stopped = () if known_good else tuple(servers)
            if not await self._stepper.begin(stepped, at, request.interaction, unless_stopped, situation.row):
                return None
        except (AlreadyAnswered, LaneTaken):
            if told := await self._told(request.interaction):
                return told
            preflight.active(await self._lanes.situation(config.lane)).require()
            raise
        return stepped.rollout


def _plan(config: LaneConfig, facts: preflight.Facts) -> Plan:
    return plans.renewal(config.plan) if facts.renewing else config.plan


def _replaced(situation: Situation, candidate: Release) -> Release | None:
    """The release that the candidate takes over from, and that a rollback returns to."""
    stable = situation.stable
    if stable is not None and stable.digest == candidate.digest:  # observed again
        return before(situation)
    return stable


def _known_changes(config: LaneConfig, stable: Release | None, candidate: Release) -> Changes | None:
    """What the releases say of their commits; `reading` where more can be looked up."""
    before = stable.commit if stable else ""
    known = known_changes(before, candidate.commit, candidate.repository)
    if known is None or config.repository is None:
        return known
    link = page(config.repository.address, known.before, known.after, github=True)
    return replace(known, link=link, reading=bool(known.before))


async def _in_time(begin: Callable[[], Awaitable[T | None]]) -> T:
    """The result of `begin`, repeated while the lane changes under it. Raises `Contended`."""
    for _ in range(_TRIES):
        begun = await begin()
        if begun is not None:
            return begun
    raise Contended("the lane keeps changing")


def before(situation: Situation) -> Release | None:
    """The newest known-good release other than what runs now."""
    now = situation.stable.digest if situation.stable else None
    return next((k.release for k in situation.releases if k.known_good and k.release.digest != now), None)


def irreversible_since(situation: Situation, release: Release) -> Release | None:
    """The newest irreversible release that ran here after `release` was last known good, or that runs now."""
    target = situation.known(release.digest)
    since = target.known_good_at if target else None
    later = [
        known.release
        for known in situation.releases
        if known.known_good_at is not None and (since is None or known.known_good_at > since)
    ]
    now = [situation.stable] if situation.stable is not None else []
    return next(
        (each for each in (*now, *later) if each.irreversible and each.digest != release.digest), None
    )


def earlier(lane: Lane, situation: Situation, version: str | None) -> Release:
    """The known-good release to return to. Raises `UserError` when there is none, or not that one."""
    now = situation.stable.digest if situation.stable else None
    good = [k.release for k in situation.releases if k.known_good and k.release.digest != now]
    if version is None:
        if not good:
            raise phrasebook.no_known_good(str(lane))
        return good[0]
    if situation.stable is not None and version == situation.stable.version:
        if situation.row is None or not situation.row.drift:
            raise phrasebook.already_running(lane.service, version, lane.environment)
        return situation.stable  # desired, but not what runs
    found = next((release for release in good if release.version == version), None)
    if found is None:
        raise phrasebook.not_known_good(version, str(lane), [release.version for release in good])
    return found
