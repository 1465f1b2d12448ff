"""Alert sources and sinks in the catalog: what they become, and every mistake with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from bot.cli.operations.config import _plain
from bot.domain.watch.alerts.findings import Severity
from tests.support.alert_sources import ENVIRON, SECRET, SOURCES
from tests.support.catalog_files import SOUND, check, line_of, write

GUILD = 1459747831315891395


def test_alert_sources_are_read_and_tell_every_server_unless_they_name_some(tmp_path: Path) -> None:
    text = SOUND + SOURCES + '  quiet: {kind: generic, secret: "${ALERT_SECRET}", guilds: []}\n'
    found, mistakes = check(write(tmp_path, all=text), ENVIRON)
    assert not mistakes
    assert found.alert_sources["prometheus"].guilds == (GUILD,)
    assert found.alert_sources["quiet"].guilds == ()
    assert found.alert_sources["prometheus"].settings.kind == "alertmanager"


def test_their_secrets_are_shown_nowhere_and_known_to_the_redactor(tmp_path: Path) -> None:
    found, _ = check(write(tmp_path, all=SOUND + SOURCES), ENVIRON)
    assert SECRET in [secret.reveal() for secret in found.secrets]
    assert SECRET not in repr(found) + str(_plain(found))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{kind: alertmanager}", "is admitted by either token or user and password"),
        ('{kind: alertmanager, token: "${ALERT_SECRET}", user: a, password: "${ALERT_SECRET}"}', "either"),
        ('{kind: alertmanager, password: "${ALERT_SECRET}"}', "user and password belong together"),
        ("{kind: alertmanager, token: abc}", "must not be written in a file"),
        ('{kind: alertmanager, token: "${SHORT}"}', "must have 16 characters or more"),
        ('{kind: generic, secret: "${SHORT}"}', "must have 16 characters or more"),
        ('{kind: generic, secret: "${ALERT_SECRET}", window: 2h}', "must be at most 1h"),
        ('{kind: github, secret: "${SHORT}"}', "must have 16 characters or more"),
        ("{kind: sentry}", '"secret" is missing'),
        ('{kind: nagios, secret: "${ALERT_SECRET}"}', 'there is no kind "nagios"'),
        ('{kind: github, secret: "${ALERT_SECRET}", guilds: [habor]}', 'there is no guild "habor"'),
        (
            '{kind: sentry, secret: "${ALERT_SECRET}", services: {web: chekout}}',
            'there is no service "chekout"',
        ),
        (
            '{kind: sentry, secret: "${ALERT_SECRET}", environments: {prod: produktion}}',
            'there is no environment "produktion"',
        ),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, entry: str, said: str) -> None:
    text = SOUND + f"alert_sources:\n  wrong: {entry}\n"
    _, mistakes = check(write(tmp_path, all=text), {**ENVIRON, "SHORT": "short"})
    assert any(
        said in str(mistake) and mistake.place.line == line_of(text, "wrong:") for mistake in mistakes
    ), mistakes


SINKS = {
    "KEY": "0123456789abcdef0123456789abcdef",
    "SLACK": "https://hooks.slack.com/services/T0/B0/very-secret-path",
    "DSN": "https://very-secret-key@o1.ingest.sentry.io/42",
    "TOKEN": "a-token-of-github",
    "PASSWORD": "a-password-of-mail",
}
ALL_SINKS = """\
sinks:
  pagerduty: {kind: pagerduty, routing_key: "${KEY}", severities: [critical, high], enabled: true}
  slack: {kind: slack, url: "${SLACK}"}
  sentry: {kind: sentry, dsn: "${DSN}"}
  github: {kind: github, repository: acme/ops, token: "${TOKEN}"}
  mail:
    kind: email
    host: mail.example.com
    user: slipway
    password: "${PASSWORD}"
    sender: slipway@example.com
    to: [on-call@example.com]
"""


def test_sinks_are_told_nothing_until_they_are_enabled(tmp_path: Path) -> None:
    found, mistakes = check(write(tmp_path, all=SOUND + ALL_SINKS), SINKS)
    assert not mistakes
    assert {name: sink.enabled for name, sink in found.sinks.items()} == {
        "pagerduty": True,
        **dict.fromkeys(("slack", "sentry", "github", "mail"), False),
    }
    assert found.sinks["pagerduty"].severities == {Severity.CRITICAL, Severity.HIGH}
    assert found.sinks["slack"].severities == set(Severity)


def test_secrets_of_sinks_are_shown_nowhere_and_known_to_the_redactor(tmp_path: Path) -> None:
    found, _ = check(write(tmp_path, all=SOUND + ALL_SINKS), SINKS)
    assert set(SINKS.values()) <= {secret.reveal() for secret in found.secrets}
    shown = repr(found) + str(_plain(found))
    assert not [value for value in SINKS.values() if value in shown]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{kind: slack, url: https://hooks.slack.com/services/T0/B0/x}", "must not be written in a file"),
        ('{kind: slack, url: "${PLAIN}"}', "must be an address that starts with https://"),
        ('{kind: pagerduty, routing_key: "${KEY}", url: "http://pd.example.com"}', "starts with https://"),
        ('{kind: sentry, dsn: "${PLAIN}"}', "is no DSN of Sentry"),
        ('{kind: github, repository: ops, token: "${TOKEN}"}', "must be owner/name"),
        ('{kind: github, repository: acme/ops, token: "${TOKEN}", label: "a,b"}', "must be a label"),
        ("{kind: email, host: m, sender: s, to: [a@example.com]}", "must be an address such as"),
        ('{kind: email, host: m, sender: s@example.com, to: ["a@example.com\\nBcc: b"]}', "such as"),
        ("{kind: email, host: m, sender: s@example.com, to: [a@b.c], user: x}", "belong together"),
        (
            '{kind: email, host: m, security: none, sender: s@a.b, to: [a@b.c], user: x, password: "${KEY}"}',
            "would be sent in clear",
        ),
        (
            '{kind: slack, url: "${SLACK}", severities: [bad]}',
            "must be 'critical', 'high', 'medium' or 'low'",
        ),
        ('{kind: teams, url: "${SLACK}"}', 'there is no kind "teams"'),
    ],
)
def test_a_mistake_of_a_sink_is_told_with_its_line(tmp_path: Path, entry: str, said: str) -> None:
    text = SOUND + f"sinks:\n  wrong: {entry}\n"
    environ = {**SINKS, "PLAIN": "http://hooks.example.com/x"}
    _, mistakes = check(write(tmp_path, all=text), environ)
    place = line_of(text, "wrong:")
    assert any(said in str(mistake) and mistake.place.line == place for mistake in mistakes), mistakes
    assert not [value for value in environ.values() if any(value in str(each) for each in mistakes)]


def test_the_resolved_catalog_can_be_shown_in_full(tmp_path: Path) -> None:
    found, _ = check(write(tmp_path, all=SOUND + SOURCES + ALL_SINKS), SINKS | ENVIRON)
    shown = yaml.safe_load(yaml.safe_dump(_plain(found)))
    assert shown["sinks"]["pagerduty"]["severities"] == ["critical", "high"]
    assert shown["alert_sources"]["own"]["settings"]["kind"] == "generic"
