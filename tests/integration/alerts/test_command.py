"""`slipway alerts test` as the program it is, with sinks that take it, refuse it and are away."""

from __future__ import annotations

from pathlib import Path

import yaml

from demo.children import free_port
from tests.fakes.mail import Mailbox, serving_mail
from tests.fakes.sinks import ROUTING_KEY, SLACK_PATH, PagerDuty, Slack, serving
from tests.support.catalog_files import SOUND, write
from tests.support.cli import Cli


def cli(folder: Path, sinks: dict[str, object], **environ: str) -> Cli:
    text = SOUND + (yaml.safe_dump({"sinks": sinks}, sort_keys=False) if sinks else "")
    write(folder / "config", all=text)
    return Cli(folder, **environ)


async def test_every_sink_is_tried_and_a_failure_is_the_exit_code(tmp_path: Path) -> None:
    pagerduty, slack, box = PagerDuty(), Slack(answers=[(404, "no_service", {})]), Mailbox()
    async with serving(pagerduty, slack), serving_mail(box):
        slipway = cli(
            tmp_path,
            {
                "pager": {
                    "kind": "pagerduty",
                    "routing_key": "${KEY}",
                    "url": f"{pagerduty.url}/v2/enqueue",
                    "severities": "critical",
                    "enabled": True,
                },
                "chat": {"kind": "slack", "url": "${SLACK}", "enabled": True},
                "mail": {
                    "kind": "email",
                    "host": "127.0.0.1",
                    "port": box.port,
                    "security": "none",
                    "sender": "slipway@example.com",
                    "to": ["on-call@example.com"],
                },
                "away": {
                    "kind": "pagerduty",
                    "routing_key": "${KEY}",
                    "url": f"http://127.0.0.1:{free_port()}",
                    "enabled": True,
                },
            },
            KEY=ROUTING_KEY,
            SLACK=f"{slack.url}{SLACK_PATH}",
        )
        said = await slipway("alerts", "test")
        assert said.out.splitlines() == [
            "✓ pager: trigger accepted.",
            "✓ pager: resolve accepted.",
            "✗ chat: Slack answered 404: no_service",
            '· mail is not enabled. It would mail "LOW" to on-call@example.com.',
            "✗ away: PagerDuty cannot be reached (ClientConnectorError).",
        ]
        assert said.code == 1 and box.mails == []
        (key,) = pagerduty.opened
        assert pagerduty.incidents == {key: "resolved"}
        named = await slipway("alerts", "test", "mail", "--severity", "high", "--no-end")
        assert (named.code, named.out) == (0, "✓ mail: sent: Queued as 7F3A\n")
        ((_, mail),) = box.mails
        assert mail["Subject"] == "[Slipway] This is a test"
        assert mail.get_content().startswith("HIGH: This is a test")


async def test_a_catalog_without_sinks_and_a_name_that_is_none_are_said(tmp_path: Path) -> None:
    slipway = cli(tmp_path, {})
    said = await slipway("alerts", "test")
    assert (said.code, said.out) == (0, "· The catalog has no sinks: alerts are told in Discord alone.\n")
    said = await slipway("alerts", "test", "slack")
    assert said.code == 1 and "There is no sink `slack`" in said.err
