"""Every kind of adapter that the catalog can name, one line each: the module that has it, as `KIND`.

The catalog builds its sections from `KINDS`; the bot, the command line and the doctor make adapters with it. A module
is imported when its kind is first asked for, so a bot holds no more adapters in memory than its catalog names. How to
add one: docs/extending.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib import import_module
from typing import Annotated, Any, Generic, TypeVar, Union

from pydantic import Field, create_model

from bot.kinds import Kind, Kinds, RuntimeKind, TargetKind

K = TypeVar("K", bound=Kind)


class Lines(Mapping[str, K], Generic[K]):
    """Kinds by name. To ask whether there is one imports nothing."""

    def __init__(self, lines: Mapping[str, str | Callable[[], K]]) -> None:
        """lines: a module that has the kind as `KIND`, or what makes the kind."""
        self._lines = lines
        self._known: dict[str, K] = {}

    def __getitem__(self, name: str) -> K:
        if name not in self._known:
            line = self._lines[name]
            self._known[name] = import_module(line).KIND if isinstance(line, str) else line()
        return self._known[name]

    def __contains__(self, name: object) -> bool:
        return name in self._lines

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)


def hosted(name: str) -> TargetKind:
    """The target of a runtime behind any of `ROUTERS`, of which the first is that of targets that name none."""
    from bot.adapters.targets.hosted.settings import LaneRouterPart
    from bot.adapters.targets.hosted.target import make_hosted

    kind = RUNTIMES[name]
    models = tuple(known.settings for known in ROUTERS.values())
    either: Any = models[0] if len(models) == 1 else Annotated[Union[models], Field(discriminator="kind")]  # noqa: UP007
    described = "What routes the requests of its lanes."
    settings = create_model(
        kind.settings.__name__,
        __base__=kind.settings,
        __doc__=kind.settings.__doc__,
        router=(either, Field(default=models[0](), description=described)),
    )
    return TargetKind(settings, make_hosted, kind.spec, LaneRouterPart, kind.pin)


RUNTIMES = Lines[RuntimeKind](
    {
        "process": "bot.adapters.runtimes.process.kind",
        "docker": "bot.adapters.runtimes.docker.kind",
        "swarm": "bot.adapters.runtimes.swarm.kind",
    }
)

ROUTERS = Lines[Kind](
    {
        "envoy": "bot.adapters.routers.envoy.settings",
        "haproxy": "bot.adapters.routers.haproxy.settings",
    }
)

KINDS = Kinds(
    targets=Lines[TargetKind](
        {
            **{name: partial(hosted, name) for name in RUNTIMES},
            "command": "bot.adapters.targets.command.target",
            "webhook": "bot.adapters.targets.webhook.target",
        }
    ),
    metrics=Lines[Kind](
        {
            "router": "bot.adapters.metrics.router",
            "probe": "bot.adapters.metrics.probe",
            "scrape": "bot.adapters.metrics.scrape",
            "prometheus": "bot.adapters.metrics.prometheus.counters",
            "alerts": "bot.adapters.metrics.prometheus.alerts",
        }
    ),
    releases=Lines[Kind](
        {
            "listed": "bot.adapters.sources.listed",
            "directory": "bot.adapters.sources.directory",
            "registry": "bot.adapters.sources.registry.source",
            "command": "bot.adapters.sources.command",
            "github": "bot.adapters.sources.github",
        }
    ),
    manifests=Lines[Kind](
        {
            "file": "bot.adapters.sources.manifests.file",
            "url": "bot.adapters.sources.manifests.url",
            "command": "bot.adapters.sources.manifests.command",
            "github": "bot.adapters.sources.manifests.github",
            "artifact": "bot.adapters.sources.manifests.artifact",
        }
    ),
    alert_sources=Lines[Kind](
        {
            "alertmanager": "bot.adapters.alerts.sources.alertmanager",
            "sentry": "bot.adapters.alerts.sources.sentry",
            "github": "bot.adapters.alerts.sources.github",
            "generic": "bot.adapters.alerts.sources.generic",
        }
    ),
    checks=Lines[Kind](
        {
            "http": "bot.adapters.checks.http",
            "tcp": "bot.adapters.checks.tcp",
            "tls": "bot.adapters.checks.tls",
            "dns": "bot.adapters.checks.dns",
            "websocket": "bot.adapters.checks.websocket",
            "discord": "bot.adapters.checks.discord",
            "presence": "bot.adapters.checks.presence",
            "command": "bot.adapters.checks.command",
        }
    ),
    sinks=Lines[Kind](
        {
            "pagerduty": "bot.adapters.alerts.sinks.pagerduty",
            "slack": "bot.adapters.alerts.sinks.slack",
            "email": "bot.adapters.alerts.sinks.email",
            "github": "bot.adapters.alerts.sinks.github",
            "sentry": "bot.adapters.alerts.sinks.sentry",
        }
    ),
)
