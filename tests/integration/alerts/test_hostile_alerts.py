"""Alerts of any content, told to every sink: each request is as strict services want it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.rollout.model import Lane
from bot.domain.watch.alerts.alert import AlertState
from bot.domain.watch.alerts.findings import Severity
from bot.ports.watch.sinks import AlertSnapshot, Known
from tests.fakes.github_issues import GithubIssues, serving_issues
from tests.fakes.mail import Mailbox, serving_mail
from tests.fakes.sinks import (
    ROUTING_KEY,
    SENTRY_KEY,
    SENTRY_PROJECT,
    SLACK_PATH,
    PagerDuty,
    Sentry,
    Slack,
    serving,
)
from tests.support.sinks import FIRING, sinks_of

PIECES = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.sampled_from(
        [
            "@everyone",
            "<!channel>",
            "<@U024BE7LH>",
            "&lt;",
            "\r\nBcc: victim@example.com\r\n",
            "=?utf-8?q?=0d=0aBcc:_v@example.com?=",
            "```",
            "````\n",
            "-->",
            "<!--",
            "@acme/team",
            "\r\n.\r\n",
            "\0",
            "\u202e",
            "\u2028",
            "\x85",
            "x" * 3000,
            "&" * 3000,
            "<" * 500,
            "\U0001f600" * 1500,
            "\n" * 50,
        ]
    ),
)
TEXTS = st.lists(PIECES, max_size=4).map("".join)
ALERTS = st.builds(
    replace,
    st.just(FIRING),
    severity=st.sampled_from(Severity),
    state=st.sampled_from(AlertState),
    lane=st.sampled_from([None, Lane("checkout", "production"), Lane("s" * 64, "e" * 64)]),
    **dict.fromkeys(
        ("title", "text", "value", "limit", "url", "runbook", "acknowledged_by", "last_deploy"), TEXTS
    ),
)
KNOWN = st.one_of(st.none(), st.builds(Known, st.sampled_from(AlertState), st.sampled_from(Severity)))


async def told(folder: Path, alert: AlertSnapshot, known: Known | None) -> None:
    pagerduty, slack, sentry, issues, box = PagerDuty(), Slack(), Sentry(), GithubIssues(), Mailbox()
    async with serving(pagerduty, slack, sentry), serving_issues(issues), serving_mail(box):
        written = {
            "pagerduty": {
                "kind": "pagerduty",
                "routing_key": "${KEY}",
                "url": f"{pagerduty.url}/v2/enqueue",
            },
            "slack": {"kind": "slack", "url": "${SLACK}"},
            "sentry": {"kind": "sentry", "dsn": "${DSN}"},
            "github": {"kind": "github", "repository": "acme/ops", "token": "${TOKEN}", "api": issues.url},
            "email": {
                "kind": "email",
                "host": "127.0.0.1",
                "port": box.port,
                "security": "none",
                "sender": "slipway@example.com",
                "to": ["on-call@example.com"],
            },
        }
        environ = {
            "KEY": ROUTING_KEY,
            "SLACK": f"{slack.url}{SLACK_PATH}",
            "DSN": f"{sentry.url.replace('://', f'://{SENTRY_KEY}@')}/{SENTRY_PROJECT}",
            "TOKEN": issues.token,
        }
        async with sinks_of(folder, written, environ) as sinks:
            for name in written:
                found = await sinks.try_out(name, alert, known)
                assert found.outcome == "told", found.sentence
        for recipients, mail in box.mails:
            assert recipients == ["on-call@example.com"] and mail["Bcc"] is None
            assert "\n" not in mail["Subject"] and "\r" not in mail["Subject"]
        for issue in issues.issues:
            body = issue["body"]
            fence = body.partition("text\n")[0].rpartition("\n")[2]
            assert set(fence) == {"`"} and len(fence) >= 3
            outside = body.partition(fence)[0] + body.rpartition(fence)[2]
            assert "@" not in outside and outside.count("<!--") == 1


@pytest.mark.simulation
@settings(deadline=None, max_examples=40)
@given(alert=ALERTS, known=KNOWN)
def test_no_alert_is_too_strange_to_be_told(
    tmp_path_factory: pytest.TempPathFactory, alert: AlertSnapshot, known: Known | None
) -> None:
    asyncio.run(told(tmp_path_factory.mktemp("catalog"), alert, known))
