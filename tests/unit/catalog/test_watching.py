"""Alert sources and sinks in the catalog: what they become, and every mistake with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.cli.config import _plain
from tests.support.alerts import ENVIRON, SECRET, SOURCES
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
