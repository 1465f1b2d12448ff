"""Reports and exports as requests and answers of the API."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from bot.domain.reports import wording
from bot.domain.reports.deployments import Typical
from bot.domain.reports.figures import Figures
from bot.domain.reports.report import Compared, PeriodReport
from bot.web.api.models import Moment, Name


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class ReportQuery(_Asked):
    service: Annotated[Name | None, Field(description="Only this service.")] = None
    days: Annotated[
        Literal[7, 28, 90],
        Field(description="Calendar days (UTC), of which today is the last."),
        BeforeValidator(lambda text: int(text) if text in ("7", "28", "90") else text),
    ] = 7


class ExportPath(_Asked):
    table: Literal["rollouts", "alerts", "incidents"]


class ExportQuery(_Asked):
    since: Annotated[
        Moment, Field(description="Rollouts requested, alerts begun, incidents opened from then on.")
    ]
    until: Annotated[Moment, Field(description="And before then.")]
    service: Annotated[Name | None, Field(description="Only this service.")] = None


class _Told(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class TypicalInfo(_Told):
    """A length of time that stands for `of` others."""

    seconds: float
    of: int


class FiguresInfo(_Told):
    """Figures of a period. null: not known, never 0."""

    deployments: int | None
    deployments_per_day: float | None
    failed: Annotated[int | None, Field(description="Deployments that were rolled back, or returned from.")]
    change_failure_rate: Annotated[float | None, Field(description="0 to 1.")]
    lead_time: Annotated[TypicalInfo | None, Field(description="Median of the deployments that succeeded.")]
    lead_time_from: Annotated[Literal["made", "requested"], Field(description="What lead times begin with.")]
    time_to_restore: Annotated[TypicalInfo | None, Field(description="Median of the outages that are over.")]
    going_on: Annotated[int, Field(description="Outages that are not over.")]
    rollbacks_automatic: int | None
    rollbacks_by_people: int | None
    rollbacks_unknown: Annotated[int | None, Field(description="Their audit lines are archived.")]
    availability: Annotated[float | None, Field(description="Share of the requests that succeeded, 0 to 1.")]
    requests: int
    failed_requests: int
    share_counted: Annotated[
        float | None, Field(description="Share of the time for which requests were counted.")
    ]
    error_budget_left: Annotated[float | None, Field(description="0 to 1; 0 when it is spent.")]
    alerts: int
    time_to_acknowledge: Annotated[TypicalInfo | None, Field(description="Mean of those acknowledged.")]


class ComparedInfo(_Told):
    name: Annotated[str, Field(description="The service; empty for all.")]
    environments: Annotated[list[str], Field(description="The ones in which deployments and requests count.")]
    now: FiguresInfo
    before: Annotated[FiguresInfo, Field(description="The same number of days before.")]
    lines: Annotated[dict[str, str], Field(description="The figures in words, by what they are called.")]


class BarInfo(_Told):
    first: date
    last: date
    succeeded: int
    failed: int
    availability: float | None


class NoisyInfo(_Told):
    title: str
    service: str | None
    environment: str | None
    times: int


class ReportInfo(_Told):
    """Deployments, failures, availability and alerts of the last days."""

    since: datetime
    until: datetime
    total: ComparedInfo
    services: Annotated[list[ComparedInfo], Field(description="Empty where there is one alone.")]
    days: Annotated[list[BarInfo], Field(description="By the week where there are more than 31.")]
    noisiest_alerts: list[NoisyInfo]


@dataclass(frozen=True, slots=True)
class Download:
    """A file that is sent as it is read."""

    name: str
    chunks: AsyncGenerator[bytes, None]


def shown(report: PeriodReport) -> ReportInfo:
    """The report as the API answers."""
    return ReportInfo(
        since=report.period.since,
        until=report.period.until,
        total=_compared(report.total),
        services=[_compared(each) for each in report.services],
        days=[
            BarInfo(
                first=bar.first,
                last=bar.last,
                succeeded=bar.good,
                failed=bar.failed,
                availability=bar.availability,
            )
            for bar in report.bars
        ],
        noisiest_alerts=[
            NoisyInfo(
                title=each.title,
                service=each.lane.service if each.lane else None,
                environment=each.lane.environment if each.lane else None,
                times=each.times,
            )
            for each in report.noisy
        ],
    )


def _compared(compared: Compared) -> ComparedInfo:
    return ComparedInfo(
        name=compared.name,
        environments=list(compared.environments),
        now=_figures(compared.now),
        before=_figures(compared.before),
        lines={line.label: line.text for line in wording.lines(compared)},
    )


def _figures(found: Figures) -> FiguresInfo:
    back = found.rollbacks
    return FiguresInfo(
        deployments=found.deployments,
        deployments_per_day=found.per_day,
        failed=found.failed if found.deployments is not None else None,
        change_failure_rate=found.failure_rate,
        lead_time=_typical(found.lead),
        lead_time_from=found.lead_from,
        time_to_restore=_typical(found.restore),
        going_on=found.going_on,
        rollbacks_automatic=back.automatic if back else None,
        rollbacks_by_people=back.by_people if back else None,
        rollbacks_unknown=back.unknown if back else None,
        availability=found.availability,
        requests=found.requests,
        failed_requests=found.bad,
        share_counted=found.share_counted,
        error_budget_left=found.budget_left,
        alerts=found.alerts,
        time_to_acknowledge=_typical(found.acknowledged),
    )


def _typical(found: Typical | None) -> TypicalInfo | None:
    return TypicalInfo(seconds=found.seconds, of=found.of) if found is not None else None
