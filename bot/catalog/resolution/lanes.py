"""Resolution of one lane: the layers for a service in an environment become a `LaneConfig`, or mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bot.catalog import models
from bot.catalog.diagnostics import KeyPath, nearest
from bot.catalog.models.plans import UNKNOWN_GATE
from bot.catalog.resolution.bindings import binding
from bot.catalog.resolution.checks import PlacedCheck, checks, verified
from bot.catalog.resolution.lane_watch import ReportedSignals, watch
from bot.catalog.resolution.layers import Layers, Said
from bot.catalog.resolution.plans import Placed, beyond_buckets, exclusive_weights, named, preconditions
from bot.catalog.resolution.plans import policy as judged_by
from bot.catalog.resolution.signals import Listeners
from bot.catalog.validate import Sections
from bot.catalog.yaml_source import Document
from bot.domain.config import (
    LaneConfig,
    Preconditions,
    Prerequisite,
    Promotion,
    Repository,
    ServedLane,
)
from bot.domain.judge import judge
from bot.domain.rollout.binding import latency_limits
from bot.domain.rollout.model import Policy
from bot.domain.rollout.steps import Gate
from bot.domain.watch.rules import error_limit
from bot.kinds import MetricSettings, RouterSettings, TargetSettings

_TICK_S = 5.0
_NOWHERE = "none"  # `prerequisite: none` and `on_call: none` remove what a layer above set


def _repository(service: models.Service) -> Repository | None:
    """Where the service's commits are: as it says, or as its releases say."""
    own = service.repository
    return Repository(own.name, own.token, own.api) if own is not None else service.releases.code


class LaneResolver:
    """Builds lanes from their layers; mistakes go into `document`."""

    def __init__(self, document: Document, sections: Sections, plans: Mapping[str, list[Placed]]) -> None:
        self._document = document
        self._sections = sections
        self._plans = plans
        self._by_plan = preconditions(sections)
        self._listening: dict[int, Layers] = {}
        self._listeners = Listeners(document, sections)

    def lane(self, said: Layers) -> LaneConfig | None:
        """The lane, or None when a mistake keeps it from being built."""
        plan = self._reference(said, "plan", "plans")
        target = self._reference(said, "target", "targets")
        steps = self._plans.get(plan or "", [])
        exclusive = self._exclusive(said, target)
        if exclusive:
            exclusive_weights(self._document, steps, said.lane.service)
        rules = self._judge(said, steps)
        prerequisite = self._prerequisite(said)
        roles = self._roles(said, steps)
        guilds = self._guilds(said)
        self._mapped(roles, steps, guilds)
        self._alone(said)
        metrics = self._metrics(said, rules, steps)
        repository = _repository(self._sections.of("services")[said.lane.service])
        given = self._given(said, plan)
        looked_at = tuple(self._preconditions(said, given, repository))
        on_call = self._on_call(said)
        checked = checks(self._document, self._sections, said)
        named_checks = verified(self._document, said.lane, steps, checked)
        if plan is None or target is None or rules is None or target not in self._sections.of("targets"):
            return None
        policy = _policy(said, rules, roles, exclusive)
        probes = {name for name, source in self._sections.of("metrics").items() if source.probes}
        return LaneConfig(
            lane=said.lane,
            guilds=tuple(guild.id for guild in guilds.values()),
            plan=named(plan, steps),
            policy=policy,
            target=target,
            metrics=metrics,
            deploy_roles=roles["deploy"].value,
            lock_roles=roles["lock"].value,
            prerequisite=prerequisite,
            preconditions=looked_at,
            promotion=self._promotion(said, given, rules, prerequisite),
            repository=repository or _asked_repository(looked_at),
            drift=said.get("drift", "report").value,
            keep_warm_s=self._keep_warm_s(said, target, exclusive),
            description=said.get("description", "").value,
            finest_tick_s=self._finest_tick_s(said, metrics),
            probed=bool(metrics) and metrics[0] in probes,
            watch=watch(self._document, said, rules, self._reported(metrics, checked)),
            on_call=on_call,
            checks=tuple(check for _, check in checked),
            binding=binding(
                self._document,
                self._sections,
                said.lane,
                target=target,
                metrics=metrics,
                policy=policy,
                checks=named_checks,
            ),
        )

    # ---- references ----

    def _reference(self, said: Layers, key: str, section: str) -> str | None:
        """The name of an entry in another section; None when it is missing or unknown."""
        value = said.get(key)
        known = self._sections.known(section)
        if not value.given:
            if key not in said.spoilt:
                hint = f"Known: {', '.join(sorted(known))}." if known else f"Add {section}:."
                self._document.wrong(value.path, f'"{key}" is missing, here and in the layers above.', hint)
            return None
        if value.value not in known:
            self._document.wrong(
                value.path, f'there is no {key} "{value.value}".', nearest(value.value, known)
            )
            return None
        return str(value.value)

    def _exclusive(self, said: Layers, target: str | None) -> bool:
        """Whether two releases never run at once; by default where the target cannot split traffic."""
        settings: TargetSettings | None = self._sections.of("targets").get(target or "")
        splits = settings is None or settings.splits
        value = said.get("exclusive", not splits)
        if not value.value and not splits:
            sentence = f'the target "{target}" cannot split traffic, so {said.lane} must be exclusive.'
            self._document.wrong(value.path, sentence)
        return bool(value.value)

    def _keep_warm_s(self, said: Layers, target: str | None, exclusive: bool) -> float | None:
        """None: until the next rollout, or where nothing is kept; to write it for such a lane is a mistake."""
        value = said.get("keep_warm")
        settings: TargetSettings | None = self._sections.of("targets").get(target or "")
        keeps = settings is None or settings.keeps_warm
        if not exclusive and keeps:
            return value.value  # type: ignore[no-any-return]
        if value.path[:-1] == said.path and value.given:
            why = (
                f"{said.lane} is exclusive"
                if exclusive
                else f'the target "{target}" runs nothing without traffic'
            )
            self._document.wrong(
                value.path, f"{why}, so no former release is kept warm.", "Remove keep_warm."
            )
        return None

    def _judge(self, said: Layers, steps: list[Placed]) -> judge.JudgePolicy | None:
        name = self._reference(said, "policy", "policies")
        written = self._sections.of("policies").get(name or "")
        if name is None or written is None:
            return None
        return judged_by(self._document, ("policies", name), written, steps, said.get("tick", _TICK_S).value)

    def _finest_tick_s(self, said: Layers, metrics: tuple[str, ...]) -> float | None:
        """None where the tick is written, or one of the sources has nothing new so soon."""
        if said.get("tick").given or not metrics:
            return None
        found = self._sections.of("metrics")
        ticks = [found[name].finest_tick_s if name in found else None for name in metrics]
        return None if None in ticks else max(tick for tick in ticks if tick is not None)

    def _metrics(self, said: Layers, rules: judge.JudgePolicy | None, steps: list[Placed]) -> tuple[str, ...]:
        value = said.get("metrics", ())
        known = self._sections.known("metrics")
        sources: dict[str, MetricSettings] = {}
        policy = str(said.get("policy").value)
        for name in value.value:
            if name not in known:
                self._document.wrong(value.path, f'there is no metric source "{name}".', nearest(name, known))
                continue
            source: MetricSettings | None = self._sections.of("metrics").get(name)
            if source is not None:
                sources[name] = source
            if rules is not None and source is not None and source.bounds:
                beyond_buckets(self._document, ("policies", policy), rules, f'"{name}"', source.bounds)
        if rules is None or "metrics" in said.spoilt:
            return tuple(value.value)
        soaks = any(step.soak_s for _, step in steps)
        if not value.value and (rules.series or soaks):
            hint = f"Known: {', '.join(sorted(known))}." if known else "Add metrics:."
            says = (
                "its policy counts requests, but metrics: is missing."
                if rules.series
                else "its plan soaks, which needs requests, but metrics: is missing."
            )
            self._document.wrong(said.path, says, hint)
        elif len(sources) == len(value.value):
            self._listeners.check(said.lane, policy, rules, sources)
        return tuple(value.value)

    def _reported(self, metrics: tuple[str, ...], checked: list[PlacedCheck]) -> ReportedSignals:
        found = self._sections.of("metrics")
        sources: list[MetricSettings] = [found[name] for name in metrics if name in found]
        monitors = [check.monitor for _, check in checked if check.monitor is not None]
        heard = frozenset[str]().union(
            *(source.signals for source in sources), *(monitor.signals for monitor in monitors)
        )
        # Of a further source, its requests are a proportion under its own name.
        return ReportedSignals(
            heard, frozenset(metrics[1:]).union(*(source.proportions for source in sources))
        )

    def _prerequisite(self, said: Layers) -> Prerequisite | None:
        value = said.get("prerequisite")
        if not value.given or value.value.environment == _NOWHERE:
            return None
        environment = value.value.environment
        service = self._sections.of("services")[said.lane.service]
        if environment not in service.environments:
            hint = nearest(environment, service.environments)
            sentence = (
                f'{said.lane.service} has no environment "{environment}", which {said.lane} needs first.'
            )
            self._document.wrong(value.path, sentence, hint)
            return None
        return Prerequisite(environment, value.value.max_age)

    def _given(self, said: Layers, plan: str | None) -> list[tuple[KeyPath, models.Preconditions]]:
        """Preconditions of the plan and of the lane, with their places: all must hold."""
        given = [self._by_plan[plan]] if plan in self._by_plan else []
        value = said.get("preconditions")
        return [*given, (value.path, value.value)] if value.given else given

    def _promotion(
        self,
        said: Layers,
        given: list[tuple[KeyPath, models.Preconditions]],
        rules: judge.JudgePolicy,
        prerequisite: Prerequisite | None,
    ) -> Promotion:
        for path, each in given:
            if each.no_alerts and prerequisite is None:
                sentence = f"{said.lane} has no prerequisite, so there is no lane that must have no alerts."
                self._document.wrong((*path, "no_alerts"), sentence, "Add prerequisite: staging.")
            if each.refuse_when_budget_spent and error_limit(rules) is None:
                sentence = f"the policy of {said.lane} has no limit on errors, so it has no error budget."
                self._document.wrong((*path, "refuse_when_budget_spent"), sentence, "Add errors: 1%.")
        return Promotion(
            any(each.no_alerts for _, each in given), any(each.refuse_when_budget_spent for _, each in given)
        )

    def _preconditions(
        self,
        said: Layers,
        given: list[tuple[KeyPath, models.Preconditions]],
        own: Repository | None,
    ) -> Iterator[Preconditions]:
        """What GitHub is asked."""
        for path, each in given:
            if not each.asks_github:
                continue
            asked = Repository(each.repository, each.token, each.api) if each.repository else own
            if asked is None:
                sentence = f"nothing says which repository the commits of {said.lane.service} are in."
                self._document.wrong(path, sentence, "Add repository: owner/name to the service.")
                continue
            yield Preconditions(
                repository=asked.name,
                checks=each.checks is not False,
                approvals=each.approvals,
                changelog=each.changelog or "",
                token=each.token or asked.token,
                api=asked.api,
            )

    # ---- people ----

    def _roles(self, said: Layers, steps: list[Placed]) -> dict[str, Said]:
        deploy, rollback = said.role("deploy"), said.role("rollback")
        for duty, value in (("deploy", deploy), ("rollback", rollback)):
            if not value.value and "roles" not in said.spoilt:
                sentence = f"no role may {duty} {said.lane}."
                self._document.wrong(
                    value.path, sentence, f"Add roles: {{{duty}: […]}}, in defaults: for all."
                )
        both = dict.fromkeys((*(deploy.value or ()), *(rollback.value or ())))
        operate = said.role("operate", tuple(both))
        promote = said.get("promote")
        if not promote.given:
            gates = [step for _, step in steps if isinstance(step, Gate)]
            role = gates[0].role if gates else (*(rollback.value or ()), "")[0]
            promote = Said(
                models.Promote(role=role, quorum=gates[0].quorum if gates else 1), said.path, False
            )
        return {
            "deploy": Said(tuple(deploy.value or ()), deploy.path, deploy.given),
            "rollback": Said(tuple(rollback.value or ()), rollback.path, rollback.given),
            "operate": operate,
            "lock": said.role("lock", operate.value),
            "notify": said.role("notify", tuple(rollback.value or ())),
            "promote": promote,
        }

    def _on_call(self, said: Layers) -> str | None:
        value = said.get("on_call")
        if not value.given or value.value == _NOWHERE:
            return None
        known = self._sections.known("on_call")
        if value.value not in known:
            hint = nearest(value.value, known) if known else "Add on_call: with its schedules."
            self._document.wrong(value.path, f'there is no on-call schedule "{value.value}".', hint)
            return None
        return str(value.value)

    def _guilds(self, said: Layers) -> dict[str, models.Guild]:
        guilds = self._sections.of("guilds")
        value = said.get("guilds")
        if not value.given:
            return dict(guilds)
        known = self._sections.known("guilds")
        for name in value.value:
            if name not in known:
                self._document.wrong(value.path, f'there is no guild "{name}".', nearest(name, known))
        return {name: guilds[name] for name in value.value if name in guilds}

    def _mapped(
        self, roles: Mapping[str, Said], steps: list[Placed], guilds: Mapping[str, models.Guild]
    ) -> None:
        """Every role that a lane names must be a Discord role in every guild that sees the lane."""
        said = [value for key, value in roles.items() if value.given and key != "promote"]
        uses = [(value.path, role) for value in said for role in value.value]
        gates = [(path, step) for path, step in steps if isinstance(step, Gate) and step is not UNKNOWN_GATE]
        uses += [((*path, "gate"), gate.role) for path, gate in gates]
        if roles["promote"].given:
            uses.append((roles["promote"].path, roles["promote"].value.role))
        known = {role for guild in self._sections.of("guilds").values() for role in guild.roles}
        for path, role in dict.fromkeys(uses):
            if role not in known and self._sections.of("guilds"):
                self._document.wrong(path, f'there is no role "{role}" in any guild.', nearest(role, known))
                continue
            for name, guild in guilds.items():
                if role not in guild.roles and not self._sections.is_spoilt(("guilds", name)):
                    where = self._document.place(path)
                    sentence = f'no Discord role is given for "{role}", which {where} needs.'
                    self._document.wrong(("guilds", name, "roles"), sentence)

    def _alone(self, said: Layers) -> None:
        """Report a port that two lanes listen on."""
        port = router.port if (router := _router(said)) else None
        if port is None:
            return
        other = self._listening.setdefault(port, said)
        if other is not said:
            there = self._document.place((*other.path, "router"))
            sentence = f"port {port} is taken by {other.lane} ({there})."
            self._document.wrong((*said.path, "router"), sentence)


def _asked_repository(looked_at: tuple[Preconditions, ...]) -> Repository | None:
    """Where preconditions look, commits can be looked up too."""
    return next((Repository(each.repository, each.token, each.api) for each in looked_at), None)


def served(said: Layers, lane: LaneConfig) -> ServedLane:
    """The target's settings of the lane."""
    return ServedLane(lane.policy.exclusive, _router(said), latency_limits(lane.policy.judge))


def _router(said: Layers) -> RouterSettings | None:
    own = said.parts[-1][1]
    return own.router if isinstance(own, models.ServiceEnvironment) else None


def _policy(said: Layers, rules: judge.JudgePolicy, roles: Mapping[str, Said], exclusive: bool) -> Policy:
    hold = said.get("hold", models.HoldPolicy()).value
    promote = roles["promote"].value
    return Policy(
        judge=rules,
        tick_s=rules.tick_s,
        hold_deadline_s=hold.deadline,
        hold_outcome=hold.outcome,
        promote_role=promote.role,
        promote_quorum=promote.quorum,
        rollback_roles=roles["rollback"].value,
        operate_roles=roles["operate"].value,
        rollback_timeout_s=said.get("rollback_timeout", 60.0).value,
        lock_after_rollback=said.get("lock_after_rollback", True).value,
        exclusive=exclusive,
        notify_roles=roles["notify"].value,
    )
