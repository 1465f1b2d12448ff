"""Alerts as mails through a real SMTP conversation: threads, encryption, refusals."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
import trustme

from bot.engine.watch.alerts.sinks import Sinks
from bot.ports.errors import Unreachable
from bot.ports.watch.sinks import Known
from demo.children import free_port
from tests.fakes.mail import Mailbox, serving_mail
from tests.support.sinks import ACKNOWLEDGED, BEGAN, FIRING, RESOLVED, sinks_of

PASSWORD = "a-password-of-mail"
TO = ["on-call@example.com", "lead@example.com"]


@asynccontextmanager
async def mailing(folder: Path, box: Mailbox, **over: Any) -> AsyncIterator[Sinks]:
    entry = {
        "kind": "email",
        "host": "127.0.0.1",
        "port": box.port,
        "security": "none",
        "sender": "slipway@example.com",
        "to": TO,
        "enabled": True,
        "timeout": "5s",
    }
    async with sinks_of(folder, {"it": entry | over}, {"PASSWORD": PASSWORD}) as sinks:
        yield sinks


async def test_what_follows_on_an_alert_is_in_the_thread_of_its_first_mail(tmp_path: Path) -> None:
    async with serving_mail(Mailbox()) as box, mailing(tmp_path, box) as sinks:
        before: Known | None = None
        for alert in (FIRING, ACKNOWLEDGED, RESOLVED):
            found = await sinks.deliver("it", alert, before)
            assert found.sentence == "it: sent: Queued as 7F3A"
            before = found.known
    assert [recipients for recipients, _ in box.mails] == [TO] * 3
    first, second, third = (mail for _, mail in box.mails)
    assert first["Subject"] == "[Slipway] checkout/production: 52% of requests fail"
    assert {second["Subject"], third["Subject"]} == {f"Re: {first['Subject']}"}
    assert first["Message-ID"].endswith("@example.com>") and first["In-Reply-To"] is None
    for reply in (second, third):
        assert reply["In-Reply-To"] == reply["References"] == first["Message-ID"]
    assert len({mail["Message-ID"] for _, mail in box.mails}) == 3
    assert parsedate_to_datetime(first["Date"]) == BEGAN
    assert first["Auto-Submitted"] == "auto-generated"
    assert first.get_content().splitlines()[:4] == [
        "CRITICAL: checkout/production: 52% of requests fail",
        "",
        "The database does not answer.",
        "",
    ]
    assert "Acknowledged by: Ada" in second.get_content()
    assert third.get_content().startswith("Resolved:")


async def test_a_mail_that_is_sent_again_is_the_same_mail(tmp_path: Path) -> None:
    async with serving_mail(Mailbox()) as box, mailing(tmp_path, box) as sinks:
        for _ in range(2):
            await sinks.deliver("it", ACKNOWLEDGED, Known(FIRING.state, FIRING.severity))
    assert len({mail["Message-ID"] for _, mail in box.mails}) == 1


@pytest.mark.parametrize(
    "title",
    [
        "x\r\nBcc: victim@example.com",
        "x\nBcc: victim@example.com\n\nbody",
        "x\u2028Bcc: a\x85Bcc: b\x0bBcc: c",
        "=?utf-8?q?x=0d=0aBcc:_victim@example.com?=",
        "ä" * 500,
        "\U0001f600" * 200,
        "x" * 5000,
    ],
)
async def test_no_text_becomes_a_header_or_a_recipient(tmp_path: Path, title: str) -> None:
    hostile = replace(
        ACKNOWLEDGED,
        title=title,
        text=f".\r\n.\r\nRCPT TO:<victim@example.com>\r\n{title}",
        acknowledged_by=title,
        last_deploy=title,
    )
    async with serving_mail(Mailbox()) as box, mailing(tmp_path, box) as sinks:
        assert (await sinks.deliver("it", hostile)).outcome == "told"
    ((recipients, mail),) = box.mails
    assert recipients == TO
    assert set(mail.keys()) == {
        "From",
        "To",
        "Subject",
        "Date",
        "Auto-Submitted",
        "Message-ID",
        "Content-Type",
        "Content-Transfer-Encoding",
        "MIME-Version",
    }
    assert mail["To"] == ", ".join(TO)
    assert mail.get_content().splitlines()[2:5] == [".", ".", "RCPT TO:<victim@example.com>"]


def certificates(folder: Path) -> tuple[ssl.SSLContext, Path]:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    path = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return context, path


@pytest.mark.parametrize("how", ["starttls", "tls"])
async def test_mails_and_passwords_go_encrypted(tmp_path: Path, how: str) -> None:
    context, authority = certificates(tmp_path)
    box = Mailbox(logins={"slipway": PASSWORD})
    login = {"user": "slipway", "password": "${PASSWORD}", "security": how}
    async with serving_mail(box, **{how: context}):  # type: ignore[arg-type]
        async with mailing(tmp_path, box, ca=str(authority), **login) as sinks:
            assert (await sinks.deliver("it", FIRING)).outcome == "told"
        async with mailing(tmp_path, box, **login) as sinks:  # the authority is not known
            with pytest.raises(Unreachable):
                await sinks.deliver("it", FIRING)
        box.logins["slipway"] = "another"
        async with mailing(tmp_path, box, ca=str(authority), **login) as sinks:
            found = await sinks.deliver("it", FIRING)
            assert found.outcome == "refused" and "535" in found.sentence
            assert PASSWORD not in found.sentence
    assert box.encrypted == [True]


async def test_a_server_without_encryption_gets_no_mail_unless_it_is_allowed(tmp_path: Path) -> None:
    async with serving_mail(Mailbox()) as box, mailing(tmp_path, box, security="starttls") as sinks:
        with pytest.raises(Unreachable):
            await sinks.deliver("it", FIRING)
    assert box.mails == []


async def test_who_is_refused_is_named_and_the_others_get_it(tmp_path: Path) -> None:
    box = Mailbox(refused={TO[1]: "550 No such user"})
    async with serving_mail(box), mailing(tmp_path, box) as sinks:
        found = await sinks.deliver("it", FIRING)
    assert found.outcome == "told" and TO[1] in found.sentence
    assert [recipients for recipients, _ in box.mails] == [[TO[0]]]


@pytest.mark.parametrize(
    ("refused", "again"),
    [
        (dict.fromkeys(TO, "550 No such user"), False),
        (dict.fromkeys(TO, "450 Greylisted"), True),
        ({TO[0]: "550 No such user", TO[1]: "450 Greylisted"}, True),
    ],
)
async def test_no_recipient_at_all_is_final_only_if_none_is_for_now(
    tmp_path: Path, refused: dict[str, str], again: bool
) -> None:
    box = Mailbox(refused=refused)
    async with serving_mail(box), mailing(tmp_path, box) as sinks:
        if again:
            with pytest.raises(Unreachable):
                await sinks.deliver("it", FIRING)
        else:
            assert (await sinks.deliver("it", FIRING)).outcome == "refused"


async def test_replies_from_500_on_are_final(tmp_path: Path) -> None:
    box = Mailbox(replies=["451 Try later", "554 We know you"])
    async with serving_mail(box), mailing(tmp_path, box) as sinks:
        with pytest.raises(Unreachable, match="451"):
            await sinks.deliver("it", FIRING)
        found = await sinks.deliver("it", FIRING)
        assert found.outcome == "refused" and found.sentence.endswith("554: We know you")
        assert (await sinks.deliver("it", FIRING)).outcome == "told"


async def test_a_server_that_is_away_is_tried_again(tmp_path: Path) -> None:
    async with mailing(tmp_path, Mailbox(port=free_port())) as sinks:
        with pytest.raises(Unreachable, match="cannot be reached"):
            await sinks.deliver("it", FIRING)
