"""Operations of the API: one table, from which the routes and the OpenAPI description are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel

from bot.domain.tokens import TokenScope
from bot.web.api import incidents, models, reports

Budget = Literal["api_read", "api_change"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One request. `name` is also that of its handler.

    scope: None where the body decides (an action). budget: None where the handler takes it, since some are exempt.
    status: of success. csv: the answer is a file, and `answer` has no meaning.
    """

    name: str
    method: Literal["GET", "POST"]
    path: str
    summary: str
    answer: type[BaseModel]
    scope: TokenScope | None = TokenScope.READ
    budget: Budget | None = "api_read"
    status: int = 200
    in_path: type[BaseModel] = models.Nothing
    query: type[BaseModel] = models.Nothing
    body: type[BaseModel] | None = None
    keyed: bool = False
    csv: bool = False
    details: str = ""


OPERATIONS: tuple[Operation, ...] = (
    Operation("token", "GET", "/token", "The token that is used", models.TokenInfo),
    Operation(
        "lanes",
        "GET",
        "/lanes",
        "What runs where, and active rollouts",
        models.LanesInfo,
        query=models.LaneQuery,
    ),
    Operation(
        "health",
        "GET",
        "/health",
        "How what is deployed is doing, and open alerts",
        models.HealthInfo,
        details="From what is stored: no target is asked. Lanes in trouble come first.",
    ),
    Operation(
        "releases",
        "GET",
        "/lanes/{service}/{environment}/releases",
        "Releases that can be deployed",
        models.ReleasesInfo,
        in_path=models.LanePath,
    ),
    Operation(
        "history",
        "GET",
        "/rollouts",
        "Rollouts, newest first",
        models.HistoryInfo,
        query=models.HistoryQuery,
    ),
    Operation(
        "rollout",
        "GET",
        "/rollouts/{rollout}",
        "One rollout, now or when it has ended",
        models.RolloutInfo,
        in_path=models.RolloutPath,
        query=models.WaitQuery,
    ),
    Operation(
        "log",
        "GET",
        "/rollouts/{rollout}/log",
        "Audit lines of a rollout",
        models.LogInfo,
        in_path=models.RolloutPath,
    ),
    Operation(
        "why",
        "GET",
        "/rollouts/{rollout}/why",
        "Why the judge said what it said",
        models.WhyInfo,
        in_path=models.RolloutPath,
        details="What decided, the evidence over time, and what would have changed it.",
    ),
    Operation(
        "check",
        "POST",
        "/deploys/check",
        "What a deploy would do, and what blocks it",
        models.DryRunInfo,
        body=models.DeployBody,
    ),
    Operation(
        "deploy",
        "POST",
        "/deploys",
        "Deploy a version",
        models.RolloutInfo,
        scope=TokenScope.DEPLOY,
        budget="api_change",
        status=201,
        body=models.DeployBody,
        keyed=True,
        details="The answer has the rollout that began; gates are waited for like any other rollout's.",
    ),
    Operation(
        "roll_back",
        "POST",
        "/rollbacks",
        "Roll back the active rollout, or return to an earlier release",
        models.RolloutInfo,
        scope=TokenScope.OPERATE,
        budget=None,
        status=201,
        body=models.RollbackBody,
        keyed=True,
        details="Never rate-limited for the role that is on call.",
    ),
    Operation(
        "act",
        "POST",
        "/rollouts/{rollout}/actions",
        "Approve, reject, pause … as by a button",
        models.ActInfo,
        scope=None,
        budget=None,
        in_path=models.RolloutPath,
        body=models.ActBody,
        keyed=True,
        details="`approve`, `reject`, `revoke` and `promote` need the scope `approve`, all others `operate`. "
        "An approval counts as one of the token's owner.",
    ),
    Operation(
        "lock",
        "POST",
        "/lanes/{service}/{environment}/lock",
        "Lock a lane against new rollouts",
        models.LockInfo,
        scope=TokenScope.LOCK,
        budget="api_change",
        in_path=models.LanePath,
        body=models.LockBody,
    ),
    Operation(
        "unlock",
        "POST",
        "/lanes/{service}/{environment}/unlock",
        "Unlock a lane",
        models.LanesInfo,
        scope=TokenScope.LOCK,
        budget="api_change",
        in_path=models.LanePath,
        body=models.UnlockBody,
    ),
    Operation(
        "on_call",
        "GET",
        "/oncall",
        "Who is on call, until when, and who is next",
        models.SchedulesInfo,
        query=models.ScheduleQuery,
    ),
    Operation(
        "override",
        "POST",
        "/oncall/{schedule}/overrides",
        "Give a time on call to a person",
        models.OverrideInfo,
        scope=TokenScope.OPERATE,
        budget="api_change",
        in_path=models.SchedulePath,
        body=models.OverrideBody,
        details="It ends by itself. The same override again gives the answer of the first one, and changes nothing.",
    ),
    Operation(
        "incidents",
        "GET",
        "/incidents",
        "Incidents, the worst first",
        incidents.IncidentsInfo,
        query=incidents.IncidentQuery,
    ),
    Operation(
        "incident",
        "GET",
        "/incidents/{incident}",
        "One incident with its timeline and its times against targets",
        incidents.IncidentInfo,
        in_path=incidents.IncidentPath,
    ),
    Operation(
        "postmortem",
        "GET",
        "/incidents/{incident}/postmortem",
        "The draft of a post-mortem",
        incidents.PostmortemInfo,
        in_path=incidents.IncidentPath,
        details="Markdown with timeline, times, alerts and deploys, and headings for cause and actions.",
    ),
    Operation(
        "open_incident",
        "POST",
        "/incidents",
        "Open an incident",
        incidents.IncidentActInfo,
        scope=TokenScope.OPERATE,
        budget="api_change",
        body=incidents.IncidentOpenBody,
        keyed=True,
        details="With `alert`: the incident that it has already, if it has one. A token that is limited needs "
        "`service` and `environment`, or an alert that has them.",
    ),
    Operation(
        "act_on_incident",
        "POST",
        "/incidents/{incident}/actions",
        "Assign, note, restore, close … as by `/incident`",
        incidents.IncidentActInfo,
        scope=TokenScope.OPERATE,
        budget="api_change",
        in_path=incidents.IncidentPath,
        body=incidents.IncidentActBody,
        keyed=True,
        details="`restore`, `close` and to `assign` it to others need a role, or to have it.",
    ),
    Operation(
        "report",
        "GET",
        "/report",
        "Deployments, failures, availability and alerts of the last days",
        reports.ReportInfo,
        query=reports.ReportQuery,
        details="Beside the same number of days before. What is not known is null, never 0.",
    ),
    Operation(
        "export",
        "GET",
        "/export/{table}",
        "Rollouts, alerts or incidents as CSV",
        models.Nothing,
        in_path=reports.ExportPath,
        query=reports.ExportQuery,
        csv=True,
        details="UTF-8 with a byte order mark, times in ISO 8601 and UTC, no formulas. A broken connection means that "
        "the file is not complete.",
    ),
    Operation(
        "silences", "GET", "/silences", "What is silenced now, and what is planned", models.SilencesInfo
    ),
    Operation(
        "silence",
        "POST",
        "/silences",
        "Silence alerts for a time",
        models.SilenceInfo,
        scope=TokenScope.OPERATE,
        budget="api_change",
        body=models.SilenceBody,
        details="Alerts that match are shown and call no one. The same silence again gives the answer of the first. "
        "A token that is limited needs service and environment.",
    ),
    Operation(
        "end_silence",
        "POST",
        "/silences/{silence}/end",
        "End a silence before its time",
        models.SilenceInfo,
        scope=TokenScope.OPERATE,
        budget="api_change",
        in_path=models.SilencePath,
        body=models.SilenceEndBody,
        details="Alerts that still fire call people again, from the first step on.",
    ),
    Operation(
        "panic",
        "POST",
        "/panic",
        "Pause every rollout of the server, or resume them",
        models.PanicInfo,
        scope=TokenScope.LOCK,
        budget=None,
        body=models.PanicBody,
        details="Switching it on is never rate-limited. Needs a token that is not limited to services or environments.",
    ),
)

# What a request may be answered with besides success, and when.
REFUSALS: Mapping[int, str] = MappingProxyType(
    {
        400: "The body is not JSON.",
        401: "The token is missing, unknown, expired or revoked.",
        403: "The token's scopes or limits, or the owner's roles, do not allow it.",
        404: "There is no such thing for this token's server.",
        409: "Refused by a rule: a lock, another rollout, a prerequisite, an older step …",
        413: "The body is too large.",
        415: "The body is not `application/json`.",
        422: "Mistakes in the request, all of them at once.",
        429: "Too many requests; `Retry-After` says when to try again.",
        503: "The database or the target does not answer; `Retry-After` says when to try again.",
    }
)
