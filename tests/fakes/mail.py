"""An SMTP server on loopback that keeps what it takes."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass
class Mailbox:
    """mails: what was taken, each with its recipients. refused: replies by recipient. replies: to whole mails, one
    after the other. logins: who may send, by password; none: everyone.
    """

    mails: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    replies: list[str] = field(default_factory=list)
    logins: dict[str, str] = field(default_factory=dict)
    encrypted: list[bool] = field(default_factory=list)
    port: int = 0

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.replies:
            return self.replies.pop(0)
        assert isinstance(envelope.content, bytes)
        lines = envelope.content.split(b"\r\n")
        assert all(len(line) <= 998 for line in lines), "a line longer than RFC 5322 allows"
        assert not any(b"\n" in line or b"\r" in line for line in lines)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage) and not mail.defects
        self.mails.append((list(envelope.rcpt_tos), mail))
        self.encrypted.append(
            session.ssl is not None or server.transport.get_extra_info("ssl_object") is not None
        )
        return "250 Queued as 7F3A"

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, how: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        right = self.logins.get(data.login.decode()) == data.password.decode()
        return AuthResult(success=right, handled=False)


@asynccontextmanager
async def serving_mail(
    box: Mailbox, *, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Mailbox]:
    def server() -> SMTP:
        return SMTP(
            box,
            hostname="mail.example.com",
            tls_context=starttls,
            require_starttls=starttls is not None,
            authenticator=box.authenticate if box.logins else None,
            # With TLS from the start it cannot tell that the password came encrypted.
            auth_required=bool(box.logins) and tls is None,
            auth_require_tls=tls is None,
        )

    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0, ssl=tls)
    box.port = listening.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        listening.close()
        await listening.wait_closed()
