"""GitHub: an issue for each alert, opened once, found again by a marker, and closed when the alert is over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from bot.adapters.alerts.sinks import wording
from bot.adapters.alerts.sinks.github_issues import IssueClient, as_code, marker_of
from bot.adapters.alerts.sinks.http_client import SinkContext, insecure, sink_kind
from bot.domain.config import Repository
from bot.domain.formatting import one_line
from bot.domain.watch.alerts.alert import AlertState
from bot.kinds import SettingsProblem, SinkSettings
from bot.ports.watch.regressions import REGRESSION, RegressionDraft, RegressionIssue
from bot.ports.watch.sinks import AlertSnapshot, Known
from bot.values import Duration, HttpUrl, Names, SecretText, shaped

# GitHub's limit, in characters.
_LABEL = 50

_Repository = Annotated[str, *shaped(r"^[\w.-]+/[\w.-]+$", "owner/name")]
_Label = Annotated[
    str, *shaped(rf"^[^,\r\n]{{1,{_LABEL}}}$", f"a label of at most {_LABEL} characters, without comma")
]


class GithubSinkSettings(SinkSettings):
    """Issues of a repository on GitHub."""

    kind: Literal["github"]
    repository: _Repository = Field(description="owner/name")
    token: SecretText = Field(description="Token that may write issues of the repository: ${NAME}.")
    label: _Label = Field(
        default="alert", description="The label of the issues; it must be there to find them."
    )
    api: HttpUrl = Field(
        default="https://api.github.com", description="Address of the API; change it for GitHub Enterprise."
    )
    regressions: bool = Field(
        default=False,
        description="Open an issue labelled `regression` after each production rollback as well.",
    )
    assignees: Names = Field(default=(), description="Accounts that those issues are assigned to.")
    timeout: Duration = Field(
        default=30.0, description="How long one delivery may take, which is several requests."
    )

    def problems(self) -> Iterator[SettingsProblem]:
        yield from insecure("api", self.api)

    @property
    def takes_regressions(self) -> bool:
        return self.regressions


class GithubSink:
    """Implements `bot.ports.watch.sinks.AlertSink`."""

    def __init__(self, name: str, settings: GithubSinkSettings, context: SinkContext) -> None:
        self._settings = settings
        self._issues = IssueClient(
            settings.api, settings.repository, settings.token.reveal(), context.session
        )

    def says(self, alert: AlertSnapshot, known: Known | None) -> str:
        where = self._settings.repository
        if known is None:
            return "" if alert.state is AlertState.RESOLVED else f"open an issue in {where}"
        if alert.state is AlertState.RESOLVED:
            return f"close its issue in {where}"
        return f'write "{wording.headline(alert, known)}" in its issue in {where}'

    async def deliver(self, alert: AlertSnapshot, known: Known | None) -> str:
        number = await self._find(alert)
        if alert.state is AlertState.RESOLVED:
            if number is None:
                return "there is no issue to close."
            await self._issues.ask(
                "PATCH", f"/{number}", {"state": "closed", "state_reason": "completed"}, expected=200
            )
            return f"#{number} closed."
        if number is None:
            body = f"{_body(alert, known)}\n{_marker(alert)}\n"
            return f"#{await self._issues.open(wording.title(alert), body, self._settings.label)} opened."
        if known is not None:
            await self._issues.ask("POST", f"/{number}/comments", {"body": _body(alert, known)}, expected=201)
        return f"#{number} says it."

    async def _find(self, alert: AlertSnapshot) -> int | None:
        """The alert's issue, open or closed."""
        found = await self._issues.find(_marker(alert), self._settings.label, alert.since)
        return found.number if found is not None else None


def _marker(alert: AlertSnapshot) -> str:
    return marker_of("alert", alert.key)


def _body(alert: AlertSnapshot, known: Known | None) -> str:
    lines = [wording.title(alert), *(f"{name}: {value}" for name, value in wording.details(alert))]
    if said := wording.text(alert):
        lines += ["", said]
    text = "\n".join(lines)
    links = "".join(f"- [{name}](<{url}>)\n" for name, url in wording.links(alert))
    headline = "Acknowledged" if alert.state is AlertState.ACKNOWLEDGED else wording.headline(alert, known)
    return f"**{headline}**\n\n{as_code(text)}\n\n{links}"


class GithubRegressions:
    """Implements `bot.ports.watch.regressions.RegressionTracker`, by the settings of a sink."""

    def __init__(self, name: str, settings: GithubSinkSettings, context: SinkContext) -> None:
        self._settings = settings
        self._issues = IssueClient(
            settings.api, settings.repository, settings.token.reveal(), context.session
        )

    @property
    def enabled(self) -> bool:
        return self._settings.enabled

    @property
    def repository(self) -> str:
        return self._settings.repository

    async def find(self, draft: RegressionDraft) -> RegressionIssue | None:
        found = await self._issues.find(marker_of("regression", draft.key), REGRESSION, draft.since)
        return self._issue(found.number, closed=found.closed) if found is not None else None

    async def open(self, draft: RegressionDraft) -> RegressionIssue:
        known = await self.find(draft)
        if known is not None:
            return known
        body = f"{as_code(draft.text)}\n\n{draft.what_next}\n\n{marker_of('regression', draft.key)}\n"
        number = await self._issues.open(
            one_line(draft.title, 250), body, REGRESSION, self._settings.assignees
        )
        return self._issue(number, closed=False)

    def _issue(self, number: int, *, closed: bool) -> RegressionIssue:
        repository = Repository(self._settings.repository, api=self._settings.api)
        url = f"{repository.address}/issues/{number}"
        return RegressionIssue(self._settings.repository, number, url, closed)


KIND = sink_kind(GithubSinkSettings, GithubSink)
