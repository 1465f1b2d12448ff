"""What is admitted, what is taken once, and what the sender is asked to repeat."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bot.adapters.alerts.sources.receiver import Receiver
from bot.domain.watch.alerts.findings import Finding
from bot.engine.stepper import Contended
from bot.ports.errors import Unreachable
from tests.fakes.findings import FakeFindings
from tests.fakes.github import webhook
from tests.support.alert_sources import (
    NOW,
    alertmanager_alert,
    alertmanager_body,
    bearer,
    by_github,
    by_us,
    receiver,
)


def encoded(body: Any) -> bytes:
    return json.dumps(body).encode()


def own(name: str, named: str = "") -> bytes:
    return encoded({"alerts": [{"fingerprint": name, "title": name}], **({"id": named} if named else {})})


async def test_what_is_taken_was_heard(tmp_path: Path) -> None:
    findings = FakeFindings()
    taking = receiver(tmp_path, findings)
    assert taking.refused("prometheus", bearer()) is None
    body = encoded(alertmanager_body(alertmanager_alert(), alertmanager_alert(fingerprint="b")))
    assert await taking.take("prometheus", bearer(), body) == (200, "Taken: 2.")
    assert [found.fingerprint for found in findings.heard] == ["prometheus/9f3c2d0a1b4e5f60", "prometheus/b"]


async def test_strangers_get_no_further(tmp_path: Path) -> None:
    findings = FakeFindings()
    taking = receiver(tmp_path, findings)
    body = own("a")
    assert taking.refused("nowhere", {}) == (404, "There is no alert source of this name.")
    refused = taking.refused("prometheus", {})
    assert refused is not None and refused[0] == 401
    assert (await taking.take("prometheus", bearer("wrong"), encoded({**alertmanager_body(), "alerts": []})))[
        0
    ] == 401
    assert (await taking.take("own", by_us(body, secret="wrong"), body))[0] == 401
    assert (await taking.take("own", by_us(body), own("b")))[0] == 401
    assert (await taking.take("own", by_us(body, at=NOW - 301), body))[0] == 401
    assert findings.heard == []


async def test_a_delivery_counts_once(tmp_path: Path) -> None:
    findings = FakeFindings()
    taking = receiver(tmp_path, findings)
    body = own("a")
    assert await taking.take("own", by_us(body), body) == (200, "Taken: 1.")
    assert await taking.take("own", by_us(body), body) == (200, "Known already.")
    assert len(findings.heard) == 1


async def test_a_delivery_with_an_id_counts_once_however_often_it_is_signed(tmp_path: Path) -> None:
    findings = FakeFindings()
    taking = receiver(tmp_path, findings)
    body = own("a", named="backup-1")
    assert await taking.take("own", by_us(body, at=NOW - 20), body) == (200, "Taken: 1.")
    assert await taking.take("own", by_us(body), body) == (200, "Known already.")
    other = own("a", named="backup-2")
    assert await taking.take("own", by_us(other), other) == (200, "Taken: 1.")
    assert len(findings.heard) == 2


async def test_another_id_in_the_headers_does_not_make_a_repetition_new(tmp_path: Path) -> None:
    findings = FakeFindings()
    taking = receiver(tmp_path, findings)
    failed = webhook(
        "workflow-run-completed",
        repository={"name": "checkout", "full_name": "acme/checkout", "default_branch": "main"},
        workflow_run={"conclusion": "failure", "head_branch": "main"},
    )
    body = encoded(failed)
    signed = by_github("workflow_run", body)
    assert await taking.take("github", {**signed, "x-github-delivery": "1"}, body) == (200, "Taken: 1.")
    assert await taking.take("github", {**signed, "x-github-delivery": "2"}, body) == (200, "Known already.")


async def test_what_could_not_be_recorded_is_asked_for_again_and_then_taken(tmp_path: Path) -> None:
    findings = FakeFindings(away=True)
    taking = receiver(tmp_path, findings)
    body = own("a")
    status, sentence = await taking.take("own", by_us(body), body)
    assert (status, sentence) == (503, "The alerts could not be recorded: repeat this later.")
    findings.away = False
    assert await taking.take("own", by_us(body), body) == (200, "Taken: 1.")


async def test_a_storm_about_one_alert_is_heard_one_by_one(tmp_path: Path) -> None:
    class OneByOne(FakeFindings):
        under_way = 0

        async def hear(self, findings: Sequence[Finding]) -> None:
            self.under_way += 1
            await asyncio.sleep(0)
            assert self.under_way == 1
            self.under_way -= 1
            await super().hear(findings)

    findings = OneByOne()
    taking = receiver(tmp_path, findings)

    async def send(number: int) -> int:
        body = own("a", named=str(number))
        return (await taking.take("own", by_us(body), body))[0]

    assert set(await asyncio.gather(*map(send, range(50)))) == {200}
    assert len(findings.heard) == 50


async def test_an_alert_that_others_keep_changing_is_asked_for_again(tmp_path: Path) -> None:
    class Changing(FakeFindings):
        async def hear(self, findings: Sequence[Finding]) -> None:
            raise Contended("the alert keeps changing")

    body = own("a")
    assert (await receiver(tmp_path, Changing()).take("own", by_us(body), body))[0] == 503


async def test_repetitions_are_remembered_for_an_hour_and_forgotten_in_order(tmp_path: Path) -> None:
    findings, clock = FakeFindings(), [NOW]
    taking = receiver(tmp_path, findings, now=lambda: clock[0])
    first = own("a", named="1")
    await taking.take("own", by_us(first), first)
    clock[0] += 3601
    for number in range(2, 4):
        body = own("a", named=str(number))
        await taking.take("own", by_us(body, at=clock[0]), body)
    assert len(taking._taken) == 2
    assert await taking.take("own", by_us(first, at=clock[0]), first) == (200, "Taken: 1.")


async def test_a_flood_beyond_twice_a_storm_is_asked_to_come_later_and_no_other_source_with_it(
    tmp_path: Path,
) -> None:
    findings, clock = FakeFindings(), [NOW]
    taking = receiver(tmp_path, findings, per_minute=60, now=lambda: clock[0])
    body = encoded(alertmanager_body(*[alertmanager_alert(fingerprint=str(n)) for n in range(50)]))
    assert (await taking.take("prometheus", bearer(), body))[0] == 200
    status, sentence = await taking.take("prometheus", bearer(), body)
    assert (status, sentence) == (503, "More than 60 alerts in a minute: repeat this later.")
    other = own("a")
    assert (await taking.take("own", by_us(other), other))[0] == 200
    clock[0] += 40
    assert (await taking.take("prometheus", bearer(), body))[0] == 200
    assert len(findings.heard) == 101


async def test_large_deliveries_are_read_too(tmp_path: Path) -> None:
    findings = FakeFindings()
    taking: Receiver = receiver(tmp_path, findings)
    body = encoded(alertmanager_body(*[alertmanager_alert(fingerprint=str(n)) for n in range(1500)]))
    assert len(body) > 500_000
    assert await taking.take("prometheus", bearer(), body) == (200, "Taken: 1500.")


async def test_a_delivery_without_alerts_is_welcome(tmp_path: Path) -> None:
    findings = FakeFindings(away=True)
    body = encoded(webhook("ping"))
    taking = receiver(tmp_path, findings)
    assert await taking.take("github", by_github("ping", body), body) == (
        200,
        "Nothing in it is an alert.",
    )


async def test_every_delivery_is_counted_once_and_strangers_make_no_labels(tmp_path: Path) -> None:
    findings, counted = FakeFindings(), list[tuple[str, str, int]]()
    taking = receiver(tmp_path, findings, counted=lambda *each: counted.append(each))
    body = encoded(alertmanager_body(alertmanager_alert(), alertmanager_alert(fingerprint="b")))
    await taking.take("prometheus", bearer(), body)
    taking.refused("prometheus", {})
    taking.refused("chosen-by-a-stranger", bearer())
    await taking.take("prometheus", bearer(), b"{")
    await taking.take("prometheus", bearer(), encoded({**alertmanager_body(), "alerts": []}))
    findings.away = True
    await taking.take("prometheus", bearer(), body)
    assert counted == [
        ("prometheus", "taken", 2),
        ("prometheus", "refused", 0),
        ("unknown", "refused", 0),
        ("prometheus", "refused", 0),
        ("prometheus", "empty", 0),
        ("prometheus", "again", 0),
    ]


async def test_issues_that_were_closed_are_told_or_asked_for_again(tmp_path: Path) -> None:
    closed: list[str] = []
    away = True

    async def hear(issues: Sequence[str]) -> None:
        if away:
            raise Unreachable("the database is away")
        closed.extend(issues)

    findings = FakeFindings()
    taking = receiver(tmp_path, findings, issues=hear)
    said = {
        "action": "closed",
        "issue": {"number": 12},
        "repository": {"name": "ops", "full_name": "acme/ops"},
    }
    body = encoded(said)
    assert (await taking.take("github", by_github("issues", body), body))[0] == 503
    away = False
    assert await taking.take("github", by_github("issues", body), body) == (200, "Taken: 1.")
    other = encoded({**said, "action": "labeled"})
    nothing = (200, "Nothing in it is an alert.")
    assert await taking.take("github", by_github("issues", other), other) == nothing
    forged = by_github("issues", body, secret="another")
    assert (await taking.take("github", forged, body))[0] == 401
    wrong = encoded({"action": "closed", "repository": {"name": "ops", "full_name": "acme/ops"}})
    assert (await taking.take("github", by_github("issues", wrong), wrong))[0] == 400
    assert (closed, findings.heard) == (["acme/ops#12"], [])
