"""A rule of a real Prometheus fires through a real Alertmanager, configured as it is shipped, and is over again."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml

from bot.adapters.telemetry import Telemetry
from bot.catalog import Reloaded
from bot.domain.watch.alerts.findings import Finding, Severity
from bot.web.app import Admin, create_app, serve
from tests.fakes.findings import FakeFindings
from tests.support import prometheus
from tests.support.alert_sources import SECRET, receiver
from tests.support.paths import ROOT
from tests.support.prometheus import Exporter, running
from tests.support.waiting import until

pytestmark = pytest.mark.real

RULES = """\
groups:
- name: g
  rules:
  - alert: HighErrorRate
    expr: burns > 0.05
    labels: {severity: page}
    annotations:
      summary: "{{ $labels.service }} fails"
      description: "@everyone {{ $value | humanizePercentage }} of requests fail."
      value: "{{ $value | humanizePercentage }}"
      limit: 5%
      runbook_url: https://runbooks.example.com/errors
"""
BURNING = '# TYPE burns gauge\nburns{service="checkout",environment="production"} 0.52\n'


async def reloaded() -> Reloaded:
    return Reloaded(True)


@asynccontextmanager
async def listening(folder: Path, findings: FakeFindings) -> AsyncIterator[str]:
    app = create_app({}, Telemetry(), Admin(None, reloaded), alerts=receiver(folder, findings, now=time.time))
    runner = await serve(app, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/alerts/prometheus"
    finally:
        await runner.cleanup()


def configuration(folder: Path, url: str) -> str:
    """The one that is shipped, with this address and token, and without its patience."""
    config = yaml.safe_load((ROOT / "config/alertmanager/alertmanager.yml").read_text("utf-8"))
    (folder / "token").write_text(SECRET)
    (webhook,) = config["receivers"][0]["webhook_configs"]
    webhook["url"] = url
    webhook["http_config"]["authorization"]["credentials_file"] = str(folder / "token")
    config["route"] |= {"group_wait": "100ms", "group_interval": "500ms"}
    return yaml.safe_dump(config)


async def test_a_real_rule_is_heard_although_the_database_was_away_and_is_over_again(tmp_path: Path) -> None:
    findings, exporter = FakeFindings(away=True), Exporter()
    exporter.text = BURNING

    async def refused() -> int:
        return findings.refused

    async def heard() -> list[Finding]:
        return list(findings.heard)

    try:
        async with listening(tmp_path, findings) as url:
            manager = prometheus.alertmanager(tmp_path / "am", configuration(tmp_path, url))
            with (
                running(manager),
                running(
                    prometheus.prometheus(
                        tmp_path / "prometheus", exporter, rules=RULES, alertmanager=manager
                    )
                ),
            ):
                await until(refused, lambda times: times >= 2)
                findings.away = False
                begun = (await until(heard))[0]
                exporter.text = BURNING.replace("0.52", "0.01")
                over = (await until(heard, lambda found: not found[-1].firing))[-1]
    finally:
        exporter.close()
    assert begun.firing and begun.severity is Severity.CRITICAL
    assert str(begun.lane) == "checkout/production"
    assert (begun.title, begun.value, begun.limit) == ("checkout fails", "52%", "5%")
    assert begun.text == "@everyone 52% of requests fail."
    assert begun.runbook == "https://runbooks.example.com/errors"
    assert begun.url.startswith("http://") and "burns" in begun.url
    assert begun.labels["alertname"] == "HighErrorRate"
    assert over.fingerprint == begun.fingerprint
    assert over.at > begun.at
    assert {found.fingerprint for found in findings.heard} == {begun.fingerprint}
