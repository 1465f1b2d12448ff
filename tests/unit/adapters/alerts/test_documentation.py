"""What docs/how-to/alert-sources.md and alert-sinks.md show is sound as it stands there."""

from __future__ import annotations

import io
import subprocess
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.composition.registry import KINDS
from tests.support.alert_sources import NOW, SECRET, delivery, sources
from tests.support.catalog_files import SOUND, check, write
from tests.support.paths import ROOT
from tests.support.repository import blocks

PAGE = list(blocks(ROOT / "docs/how-to/alert-sources.md"))
CONFIGURATION = ROOT / "config/alertmanager/alertmanager.yml"
NAMES = ("ALERTMANAGER_TOKEN", "SENTRY_SECRET", "GITHUB_WEBHOOK_SECRET", "ALERTS_SECRET")
ENVIRON = {f"SLIPWAY_VAR_{name}": SECRET for name in NAMES}


OF_SINKS = ("PAGERDUTY_KEY", "SLACK_WEBHOOK", "SMTP_PASSWORD", "GITHUB_ISSUES_TOKEN", "SENTRY_PUBLIC_KEY")


def text(language: str, nth: int = 0) -> str:
    return [block.text for block in PAGE if block.language == language][nth]


def test_the_catalog_of_the_page_has_no_mistakes(tmp_path: Path) -> None:
    _, mistakes = check(write(tmp_path, sound=SOUND, page=text("yaml")), ENVIRON)
    assert not mistakes


def test_the_catalog_of_the_page_of_sinks_has_no_mistakes(tmp_path: Path) -> None:
    page = [block for block in blocks(ROOT / "docs/how-to/alert-sinks.md") if block.language == "yaml"]
    environ = {f"SLIPWAY_VAR_{name}": SECRET for name in OF_SINKS}
    found, mistakes = check(write(tmp_path, sound=SOUND, page=page[0].text), environ)
    assert not mistakes
    assert {sink.settings.kind for sink in found.sinks.values()} == set(KINDS.sinks)


def test_the_json_of_the_page_is_taken(tmp_path: Path) -> None:
    (found,) = sources(tmp_path)["own"].read(delivery(text("json").encode())).findings
    assert (str(found.lane), found.fingerprint) == ("checkout/production", "own/backup-of-checkout")
    assert found.labels["host"] == "db-1"


def test_the_page_quotes_the_configuration_that_is_shipped() -> None:
    shown: Mapping[str, Any] = yaml.safe_load(text("yaml", 1))
    shipped = yaml.safe_load(CONFIGURATION.read_text("utf-8"))
    assert shown["receivers"] == shipped["receivers"]


@pytest.mark.real
def test_the_alertmanager_takes_its_configuration() -> None:
    said = subprocess.run(
        ["amtool", "check-config", str(CONFIGURATION)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert said.returncode == 0, said.stderr


def test_the_python_of_the_page_signs_as_slipway_checks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[urllib.request.Request] = []

    def urlopen(request: urllib.request.Request, timeout: float) -> io.BytesIO:
        sent.append(request)
        return io.BytesIO()

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    monkeypatch.setattr("time.time", lambda: NOW)
    shown: dict[str, Any] = {}
    exec(text("python"), shown)
    shown["tell"]("https://slipway.example.com/alerts/own", SECRET, {"fingerprint": "a", "title": "A"})
    (request,) = sent
    assert isinstance(request.data, bytes)
    taken = delivery(request.data, **dict(request.header_items()))
    source = sources(tmp_path)["own"]
    assert source.forged(taken) == ""
    assert [found.fingerprint for found in source.read(taken).findings] == ["own/a"]
