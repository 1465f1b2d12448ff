"""E-mail: a thread for each alert, through an SMTP server."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from bot.adapters.alerts.sinks import wording
from bot.adapters.alerts.sinks.http_client import SinkContext, sink_kind
from bot.domain.formatting import one_line
from bot.domain.watch.alerts.alert import AlertState
from bot.kinds import SettingsProblem, SinkSettings
from bot.ports.errors import SinkRefused, Unreachable
from bot.ports.watch.sinks import AlertSnapshot, Known
from bot.values import RelativePath, SecretText, Text, shaped

_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_ADDRESS = r"^[^\s@<>(),;:\\\"\[\]]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$"
_SHOWN = 200

_Address = Annotated[str, *shaped(_ADDRESS, "an address such as team@example.com")]


class EmailSettings(SinkSettings):
    """E-mail through an SMTP server. What follows on an alert is in the thread of its first mail."""

    kind: Literal["email"]
    host: Text = Field(description="The SMTP server.")
    port: int | None = Field(
        default=None, ge=1, le=65535, description="587 for starttls, 465 for tls and 25 for none by default."
    )
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="none sends in clear: on this machine only."
    )
    user: Text | None = Field(default=None, description="For servers that ask who sends.")
    password: SecretText | None = Field(default=None, description="The user's password: ${NAME}.")
    sender: _Address = Field(description="The address that mails come from.")
    to: tuple[_Address, ...] = Field(min_length=1, max_length=50, description="Who gets them.")
    ca: RelativePath | None = Field(
        default=None, description="PEM file of the authority that signed the server's certificate."
    )

    def problems(self) -> Iterator[SettingsProblem]:
        if (self.user is None) != (self.password is None):
            yield SettingsProblem((), "user and password belong together.")
        if self.security == "none" and self.password is not None:
            yield SettingsProblem(("security",), "a password would be sent in clear.", "Use starttls or tls.")


class EmailSink:
    """Implements `bot.ports.watch.sinks.AlertSink`."""

    def __init__(self, name: str, settings: EmailSettings, context: SinkContext) -> None:
        self._settings = settings

    def says(self, alert: AlertSnapshot, known: Known | None) -> str:
        return f'mail "{wording.headline(alert, known)}" to {", ".join(self._settings.to)}'

    async def deliver(self, alert: AlertSnapshot, known: Known | None) -> str:
        import aiosmtplib  # not needed by most starts

        settings = self._settings
        try:
            refused, said = await aiosmtplib.send(
                self.message(alert, known),
                sender=settings.sender,
                recipients=list(settings.to),
                hostname=settings.host,
                port=settings.port or _PORTS[settings.security],
                username=settings.user,
                password=settings.password.reveal() if settings.password else None,
                use_tls=settings.security == "tls",
                start_tls=settings.security == "starttls",
                tls_context=_trust(settings.ca),
                timeout=settings.timeout,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = [each.code for each in error.recipients]
            raise _failure(min(codes), "the server takes none of the addresses") from None
        except aiosmtplib.SMTPResponseException as error:
            raise _failure(error.code, one_line(error.message, _SHOWN)) from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise Unreachable(f"the mail server cannot be reached ({type(error).__name__})") from None
        if refused:
            return f"sent, but the server does not take {', '.join(sorted(refused))}."
        return f"sent: {one_line(said, _SHOWN)}"

    def message(self, alert: AlertSnapshot, known: Known | None) -> EmailMessage:
        """The mail. No text of an alert reaches a header but on one line."""
        domain = self._settings.sender.rpartition("@")[2]
        thread = hashlib.sha256(alert.key.encode()).hexdigest()[:32]
        first = f"<{thread}@{domain}>"
        mail = EmailMessage(policy=SMTP)
        mail["From"] = f"Slipway <{self._settings.sender}>"
        mail["To"] = ", ".join(self._settings.to)
        # The library decodes encoded words of RFC 2047, in which a line could end.
        subject = f"[Slipway] {wording.title(alert)}".replace("=?", "= ?")
        mail["Subject"] = subject if known is None else f"Re: {subject}"
        mail["Date"] = format_datetime(alert.at)
        mail["Auto-Submitted"] = "auto-generated"
        if known is None:
            mail["Message-ID"] = first
        else:
            # The same for the same news: a mail that is sent again is the same mail.
            moment = f"{alert.state}.{alert.severity}.{int(alert.at.timestamp())}"
            mail["Message-ID"] = f"<{thread}.{moment}@{domain}>"
            mail["In-Reply-To"] = mail["References"] = first
        if alert.severity.rank == 0 and alert.state is AlertState.FIRING:
            mail["Importance"] = "high"
        mail.set_content(_body(alert, known))
        return mail


def _body(alert: AlertSnapshot, known: Known | None) -> str:
    lines = [f"{wording.headline(alert, known)}: {wording.title(alert)}", ""]
    if said := wording.text(alert):
        lines += [said, ""]
    lines += [f"{name}: {value}" for name, value in (*wording.details(alert), *wording.links(alert))]
    return "\n".join(lines) + "\n"


def _failure(code: int, said: str) -> Unreachable | SinkRefused:
    """Replies from 500 on are final: RFC 5321, 4.2.1."""
    sentence = f"the mail server answered {code}: {said}"
    return SinkRefused(sentence) if code >= 500 else Unreachable(sentence)


def _trust(ca: Path | None) -> ssl.SSLContext | None:
    return ssl.create_default_context(cafile=str(ca)) if ca is not None else None


KIND = sink_kind(EmailSettings, EmailSink)
