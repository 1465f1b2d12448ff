"""Alerts told to PagerDuty, Slack, Sentry and GitHub over HTTP: from the beginning to the end, and when they fail."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.watch.alerts.alert import AlertState
from bot.domain.watch.alerts.findings import Severity
from bot.engine.watch.alerts.sinks import Delivery, Sinks, retry_in_s
from bot.ports.errors import RateLimited, Unreachable
from bot.ports.watch.sinks import AlertSnapshot, Known
from demo.children import free_port
from tests.fakes.github_issues import GithubIssues, serving_issues
from tests.fakes.sinks import (
    ROUTING_KEY,
    SENTRY_KEY,
    SENTRY_PROJECT,
    SLACK_PATH,
    PagerDuty,
    Sentry,
    SinkService,
    Slack,
    serving,
)
from tests.support.sinks import ACKNOWLEDGED, FIRING, RESOLVED, sinks_of

TOKEN = "a-token-of-github"
WORSE = replace(FIRING, severity=Severity.CRITICAL)
MILD = replace(FIRING, severity=Severity.MEDIUM)


def known(alert: AlertSnapshot) -> Known:
    return Known(alert.state, alert.severity)


@asynccontextmanager
async def told(folder: Path, service: SinkService, *, enabled: bool = True) -> AsyncIterator[Sinks]:
    async with serving(service):
        written, environ = {
            PagerDuty: lambda: (
                {"kind": "pagerduty", "routing_key": "${KEY}", "url": f"{service.url}/v2/enqueue"},
                {"KEY": ROUTING_KEY},
            ),
            Slack: lambda: ({"kind": "slack", "url": "${URL}"}, {"URL": f"{service.url}{SLACK_PATH}"}),
            Sentry: lambda: (
                {"kind": "sentry", "dsn": "${DSN}"},
                {"DSN": f"{service.url.replace('://', f'://{SENTRY_KEY}@')}/{SENTRY_PROJECT}"},
            ),
        }[type(service)]()
        async with sinks_of(
            folder, {"it": {**written, "enabled": enabled, "timeout": "2s"}}, environ
        ) as sinks:
            yield sinks


@asynccontextmanager
async def on_github(folder: Path, api: GithubIssues) -> AsyncIterator[Sinks]:
    async with serving_issues(api):
        entry = {
            "kind": "github",
            "repository": "acme/ops",
            "token": "${TOKEN}",
            "api": api.url,
            "enabled": True,
        }
        async with sinks_of(folder, {"it": entry}, {"TOKEN": TOKEN}) as sinks:
            yield sinks


async def whole_story(sinks: Sinks) -> list[Delivery]:
    found = []
    before: Known | None = None
    for alert in (FIRING, ACKNOWLEDGED, RESOLVED):
        found.append(await sinks.deliver("it", alert, before))
        before = found[-1].known
    return found


# ---- PagerDuty ---------------------------------------------------------------------------------------------


async def test_pagerduty_has_one_incident_from_beginning_to_end(tmp_path: Path) -> None:
    service = PagerDuty()
    async with told(tmp_path, service) as sinks:
        story = await whole_story(sinks)
    assert [each.outcome for each in story] == ["told"] * 3
    assert service.incidents == {FIRING.key: "resolved"} and service.opened == [FIRING.key]
    trigger, acknowledge, resolve = service.got
    assert trigger["payload"] == {
        "summary": "checkout/production: 52% of requests fail",
        "source": "checkout/production",
        "severity": "critical",
        "timestamp": "2026-11-22T14:52:26+00:00",
        "component": "checkout",
        "group": "production",
        "custom_details": {
            "Severity": "critical",
            "Since": "2026-11-22 14:52:26 UTC",
            "Value": "52% (limit 1%)",
            "Last deploy": "1.4.0 to 1.5.0 by ada, 4 min before: a plausible cause",
            "Text": "The database does not answer.",
        },
    }
    assert [link["text"] for link in trigger["links"]] == ["Runbook", "Alert in Discord"]
    assert set(acknowledge) == set(resolve) == {"routing_key", "event_action", "dedup_key"}


async def test_pagerduty_hears_of_an_acknowledged_alert_although_it_missed_the_beginning(
    tmp_path: Path,
) -> None:
    service = PagerDuty()
    async with told(tmp_path, service) as sinks:
        assert (await sinks.deliver("it", ACKNOWLEDGED)).outcome == "told"
    assert service.incidents == {FIRING.key: "acknowledged"} and service.dropped == []


async def test_pagerduty_hears_nothing_of_an_alert_that_is_over_before_it_could_be_told(
    tmp_path: Path,
) -> None:
    service = PagerDuty()
    async with told(tmp_path, service) as sinks:
        assert (await sinks.deliver("it", RESOLVED)).outcome == "nothing"
    assert service.got == []


# ---- Slack -------------------------------------------------------------------------------------------------


async def test_slack_gets_a_message_for_each_change(tmp_path: Path) -> None:
    service = Slack()
    async with told(tmp_path, service) as sinks:
        await whole_story(sinks)
    assert [message["text"] for message in service.got] == [
        "CRITICAL: checkout/production: 52% of requests fail",
        "Acknowledged by Ada: checkout/production: 52% of requests fail",
        "Resolved: checkout/production: 52% of requests fail",
    ]
    links = service.got[0]["blocks"][-1]["elements"][0]["text"]
    assert links == (
        "<https://runbooks.example.com/errors?a=1&amp;b=2|Runbook> · "
        "<https://discord.com/channels/1/2/3|Alert in Discord>"
    )


async def test_slack_hears_that_an_alert_got_worse(tmp_path: Path) -> None:
    service = Slack()
    async with told(tmp_path, service) as sinks:
        assert sinks.is_news("it", WORSE, known(MILD))
        await sinks.deliver("it", WORSE, known(MILD))
    assert service.got[0]["blocks"][0]["text"]["text"] == "Now CRITICAL"


async def test_slack_s_characters_and_mentions_are_defused(tmp_path: Path) -> None:
    service = Slack()
    hostile = replace(
        FIRING,
        title="<!channel> <@U024BE7LH> a < b && c > d @here",
        text="<https://evil.example.com|Click>",
        last_deploy="*bold* @everyone",
        runbook="https://example.com/<b>|x",
    )
    async with told(tmp_path, service) as sinks:
        await sinks.deliver("it", hostile)
    (message,) = service.got
    title = message["blocks"][1]["text"]["text"]
    assert title.endswith("&lt;!channel&gt; &lt;@U024BE7LH&gt; a &lt; b &amp;&amp; c &gt; d @\u200bhere")
    assert "Runbook" not in json.dumps(message)


# ---- Sentry ------------------------------------------------------------------------------------------------


async def test_sentry_gets_an_event_with_the_alert_s_fingerprint(tmp_path: Path) -> None:
    service = Sentry()
    async with told(tmp_path, service) as sinks:
        story = await whole_story(sinks)
    assert [each.outcome for each in story] == ["told", "nothing", "nothing"]
    (event,) = service.got
    assert event["fingerprint"] == ["slipway", FIRING.key]
    assert event["logentry"]["formatted"] == "checkout/production: 52% of requests fail"
    assert (event["level"], event["environment"]) == ("fatal", "production")
    assert event["tags"] == {"severity": "critical", "service": "checkout"}
    assert event["extra"]["Value"] == "52% (limit 1%)"
    assert event["timestamp"].startswith("2026-11-22T14:52:26")


async def test_sentry_has_an_event_once_however_often_it_is_sent(tmp_path: Path) -> None:
    service = Sentry()
    async with told(tmp_path, service) as sinks:
        await sinks.deliver("it", MILD)
        await sinks.deliver("it", MILD)
        assert len(service.got) == 1
        await sinks.deliver("it", WORSE, known(MILD))
    assert [event["level"] for event in service.got] == ["warning", "fatal"]
    assert service.got[0]["fingerprint"] == service.got[1]["fingerprint"]


# ---- GitHub ------------------------------------------------------------------------------------------------


async def test_an_issue_is_opened_once_commented_and_closed(tmp_path: Path) -> None:
    api = GithubIssues()
    for number in range(130):  # more than a page of others
        api.add(f"other {number}", "unrelated", ("alert",))
    async with on_github(tmp_path, api) as sinks:
        story = await whole_story(sinks)
    assert [each.sentence for each in story] == ["it: #131 opened.", "it: #131 says it.", "it: #131 closed."]
    issue = api.issues[-1]
    assert issue["title"] == "checkout/production: 52% of requests fail"
    assert (issue["state"], issue["state_reason"], issue["labels"]) == (
        "closed",
        "completed",
        [{"name": "alert"}],
    )
    assert "Value: 52% (limit 1%)" in issue["body"] and "[Runbook](<https://runbooks" in issue["body"]
    assert [number for number, _ in api.comments] == [131]


async def test_an_issue_of_which_no_answer_came_is_not_opened_again(tmp_path: Path) -> None:
    api = GithubIssues(lost=1)
    async with on_github(tmp_path, api) as sinks:
        with pytest.raises(Unreachable):
            await sinks.deliver("it", FIRING)
        assert (await sinks.deliver("it", FIRING)).outcome == "told"
    assert len(api.issues) == 1


async def test_alerts_have_issues_of_their_own(tmp_path: Path) -> None:
    api = GithubIssues()
    async with on_github(tmp_path, api) as sinks:
        await sinks.deliver("it", FIRING)
        await sinks.deliver("it", replace(FIRING, key="another"))
        await sinks.deliver("it", RESOLVED, known(FIRING))
    assert [issue["state"] for issue in api.issues] == ["closed", "open"]


async def test_mentions_and_marks_in_an_issue_are_code(tmp_path: Path) -> None:
    api = GithubIssues()
    hostile = replace(FIRING, title="@acme/everyone --> ````", text="```\n@ada <!-- #1 ````` -->\n" * 3)
    async with on_github(tmp_path, api) as sinks:
        await sinks.deliver("it", hostile)
        assert (await sinks.deliver("it", hostile)).outcome == "told"  # its marker is still found
    (issue,) = api.issues
    fence = "`" * 6
    before, inside, after = issue["body"].split(f"\n{fence}")
    assert inside.startswith("text\n") and "@" not in before + after


async def test_a_token_that_may_not_set_labels_is_told(tmp_path: Path) -> None:
    api = GithubIssues(writes=False)
    async with on_github(tmp_path, api) as sinks:
        found = await sinks.deliver("it", FIRING)
    assert found.outcome == "refused" and "it has no label" in found.sentence


@pytest.mark.parametrize(
    ("status", "headers", "pause_s"),
    [
        (403, {"Retry-After": "60"}, 60),
        (429, {"Retry-After": "90"}, 90),
        (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "0"}, 1),
    ],
)
async def test_github_is_left_alone_when_it_says_so(
    tmp_path: Path, status: int, headers: dict[str, str], pause_s: float
) -> None:
    api = GithubIssues(answers=[(status, "{}", headers)])
    async with on_github(tmp_path, api) as sinks:
        with pytest.raises(RateLimited) as limited:
            await sinks.deliver("it", FIRING)
        assert limited.value.again_s == pytest.approx(pause_s, abs=1)


@pytest.mark.parametrize("status", [401, 403, 404, 410, 422])
async def test_what_github_refuses_is_not_tried_again(tmp_path: Path, status: int) -> None:
    api = GithubIssues(answers=[(status, '{"message": "no"}', {})])
    async with on_github(tmp_path, api) as sinks:
        assert (await sinks.deliver("it", FIRING)).outcome == "refused"


# ---- all ---------------------------------------------------------------------------------------------------

SERVICES = [PagerDuty, Slack, Sentry]


@pytest.mark.parametrize("kind", SERVICES)
@pytest.mark.parametrize("status", [400, 403, 404, 413])
async def test_a_refusal_is_final_and_says_why(tmp_path: Path, kind: type[SinkService], status: int) -> None:
    service = kind(answers=[(status, "something is\nwrong", {})])
    async with told(tmp_path, service) as sinks:
        found = await sinks.deliver("it", FIRING)
    assert (found.outcome, found.known) == ("refused", None)
    assert found.sentence.endswith(f"answered {status}: something is wrong")


@pytest.mark.parametrize("kind", SERVICES)
async def test_a_redirect_is_not_followed(tmp_path: Path, kind: type[SinkService]) -> None:
    service = kind(answers=[(307, "", {"Location": "http://169.254.169.254/"})])
    async with told(tmp_path, service) as sinks:
        assert (await sinks.deliver("it", FIRING)).outcome == "refused"


@pytest.mark.parametrize("kind", SERVICES)
async def test_trouble_of_the_other_side_is_tried_again(tmp_path: Path, kind: type[SinkService]) -> None:
    answers = [(503, "", {}), (429, "", {"Retry-After": "120"})]
    service = kind(answers=list(answers))
    async with told(tmp_path, service) as sinks:
        with pytest.raises(Unreachable, match="answered 503") as away:
            await sinks.deliver("it", FIRING)
        assert [retry_in_s(n, away.value) for n in (1, 2, 3, 20)] == [2.0, 4.0, 8.0, 300.0]
        with pytest.raises(RateLimited) as limited:
            await sinks.deliver("it", FIRING)
        assert retry_in_s(1, limited.value) == 120.0
        assert (await sinks.deliver("it", FIRING)).outcome == "told"
    assert len(service.got) == 1


async def test_an_error_shows_no_secret(tmp_path: Path) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    written = {
        "slack": {"kind": "slack", "url": "${URL}"},
        "pagerduty": {"kind": "pagerduty", "routing_key": "${KEY}", "url": away},
        "sentry": {"kind": "sentry", "dsn": "${DSN}"},
    }
    environ = {
        "URL": f"{away}{SLACK_PATH}",
        "KEY": ROUTING_KEY,
        "DSN": f"{away.replace('://', f'://{SENTRY_KEY}@')}/{SENTRY_PROJECT}",
    }
    async with sinks_of(tmp_path, written, environ) as sinks:
        for name in written:
            with pytest.raises(Unreachable) as said:
                await sinks.try_out(name, FIRING)
            assert "cannot be reached" in str(said.value)
            assert not any(part in str(said.value) for part in (SLACK_PATH, ROUTING_KEY, SENTRY_KEY))


@pytest.mark.parametrize("kind", SERVICES)
async def test_a_sink_that_is_not_enabled_says_what_it_would_do(
    tmp_path: Path, kind: type[SinkService]
) -> None:
    service = kind()
    async with told(tmp_path, service, enabled=False) as sinks:
        found = await sinks.deliver("it", FIRING)
        assert (found.outcome, found.known) == ("dry_run", None)
        assert found.sentence.startswith("it is not enabled. It would ")
        assert service.got == []
        assert (await sinks.try_out("it", FIRING)).outcome == "told"
    assert len(service.got) == 1


async def test_resolved_is_the_last_word(tmp_path: Path) -> None:
    async with told(tmp_path, Slack()) as sinks:
        worse = replace(RESOLVED, severity=Severity.CRITICAL)
        assert not sinks.is_news("it", worse, Known(AlertState.RESOLVED, Severity.LOW))
