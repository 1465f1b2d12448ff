"""Notices: short messages that call people, in #deploys, and for alarms an embed in #alerts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import discord

from bot.domain import phrasebook
from bot.domain.formatting import count, duration, percent
from bot.domain.judge.judge import Reason
from bot.domain.rollout.model import Phase, Rollout
from bot.domain.rollout.steps import Gate
from bot.domain.rollout.steps.gate import needed
from bot.domain.rollout.wording import Wording, wording_for
from bot.engine.api import RolloutView
from bot.ports.notifications import Announcement, Notice
from bot.ui import escaping
from bot.ui.buttons import HereButton, IdButton
from bot.ui.cards.measurements import failing
from bot.ui.cards.phases import COLOUR
from bot.ui.errors import Upload

ALARMS = frozenset({"rolled_back", "halted", "irreversible"})
_HEADS = {
    "gate_opened": ("🔐", "needs approval"),
    "held": ("❓", "is on hold: decision needed"),
    "irreversible": ("🛑", "fails and is irreversible: decision needed"),
    "rolled_back": ("⏪", "is being rolled back"),
    "halted": ("🛑", "is halted: manual action required"),
    "paused": ("⏸️", "is paused by the panic stop"),
    "failed": ("❌", "failed"),
    "succeeded": ("✅", "succeeded"),
    "expired": ("⌛", "expired without approval"),
    "rejected": ("🚫", "was rejected"),
    "emergency": ("🚨", "continues as an EMERGENCY"),
    "unconfirmed": ("⚠️", "is not confirmed by its target"),
}


@dataclass(frozen=True, slots=True)
class NoticeText:
    """One message to post. `nonce` and `mark` are the same for every attempt. button: makes the one under it. upload: a
    picture.
    """

    channel: str
    content: str
    embed: discord.Embed | None
    nonce: str
    mark: str
    roles: tuple[int, ...]
    users: tuple[int, ...]
    button: Callable[[], IdButton] | None = None
    upload: Upload | None = None

    def is_in(self, message: discord.Message) -> bool:
        """Whether `message` is this one, posted by an earlier attempt."""
        footers = [embed.footer.text or "" for embed in message.embeds]
        return message.content.endswith(self.mark) or self.mark.removeprefix("-# ") in footers

    def spelled_out(self) -> NoticeText:
        """The same as text without the embed, for a channel that forbids embeds."""
        if self.embed is None:
            return self
        fields = [f"**{field.name}:** {field.value}" for field in self.embed.fields]
        said = _joined([self.content, self.embed.description or "", *fields], self.mark)
        return replace(self, content=said, embed=None)


def words(notice: Notice, seen: RolloutView, roles: Sequence[int], card: str) -> list[NoticeText]:
    """The messages of a notice. For an alarm, roles are mentioned in #alerts and the people concerned in #deploys."""
    rollout = seen.rollout
    mark = f"-# Rollout {rollout.id} · ref {escaping.name(notice.key, 25)}"
    alarm = notice.what in ALARMS
    shape, head = _HEADS.get(notice.what, ("📣", notice.what.replace("_", " ")))
    head = wording_for(rollout.policy.words).failed_head if notice.what == "failed" else head
    title = f"{_title(rollout)} {head}"
    here, there = ((), tuple(roles)) if alarm else (tuple(roles), ())
    users = tuple(
        user for user in notice.mention_users if user > 0
    )  # Discord takes no id of a machine's account
    pings = _pings(here, users)
    # The mention and the subject share the first line: that is what a locked phone shows.
    said = [" ".join(p for p in (pings, f"{shape} **{title}**") if p), *_lines(notice, rollout)]
    content = _joined([*said, f"[Open the card]({card})" if card else ""], mark)
    posts = [NoticeText("deploys", content, None, nonce(notice.key, "d"), mark, here, users)]
    if alarm:
        calling = [_pings(there, ()), f"{shape} {title}"]
        body = escaping.cut(" ".join(part for part in calling if part), escaping.CONTENT)
        embed = _embed(notice, rollout, f"{shape} {title}", card, mark)
        # The alarm comes first: on-call should not wait for the message in #deploys.
        posts.insert(0, NoticeText("alerts", body, embed, nonce(notice.key, "a"), mark, there, ()))
    return posts


def alert_words(alert: Announcement, roles: Sequence[int], card: str = "") -> NoticeText:
    """The message of an alert. The mention is in the content: mentions in embeds do not notify. card: its address."""
    mark = f"-# ref {escaping.name(alert.key, 25)}"
    shape = alert.icon or ("✅" if alert.over else "⚠️")
    pings = _pings(roles, alert.mention_users)
    said = " ".join(part for part in (pings, f"{shape} **{escaping.plain(alert.title, 200)}**") if part)
    more = f"[Open the alert]({card})" if card else ""
    content = _joined([said, escaping.sentence(alert.text, 1500), more], mark)
    return NoticeText(
        channel=alert.channel,
        content=content,
        embed=None,
        nonce=nonce(alert.key, "a"),
        mark=mark,
        roles=tuple(roles),
        users=alert.mention_users,
        button=partial(HereButton, alert.button) if alert.button else None,
    )


def nonce(key: str, channel: str) -> str:
    """At most 25 characters, different for each channel, the same for every attempt."""
    plain = f"{key}{channel}"
    return plain if len(plain) <= 25 else hashlib.sha256(plain.encode()).hexdigest()[:25]


def _title(rollout: Rollout) -> str:
    service, version = escaping.plain(rollout.lane.service, 60), escaping.plain(rollout.candidate.version, 40)
    return f"{service} {version} → {escaping.plain(rollout.lane.environment, 40)}"


def _pings(roles: Sequence[int], users: Sequence[int]) -> str:
    return " ".join([*(f"<@&{role}>" for role in roles), *(f"<@{user}>" for user in users)])


def _joined(lines: Sequence[str], mark: str) -> str:
    """The lines and the mark. The mark is never cut."""
    body = "\n".join(line for line in lines if line)
    return f"{escaping.cut(body, escaping.CONTENT - 100)}\n{mark}"


def _lines(notice: Notice, rollout: Rollout) -> list[str]:
    lines = []
    if notice.text:
        lines.append(escaping.sentence(notice.text, 800))
    if notice.what == "gate_opened":
        gate = rollout.current
        if isinstance(gate, Gate):
            asks = phrasebook.approvals_needed(needed(rollout, gate), gate.role)
            asked = escaping.plain(rollout.requester.name, 40)
            lines = [f"{escaping.sentence(asks, 200)} Requested by {asked}" + "." * (asked[-1:] != "…")]
        candidate = rollout.candidate
        if candidate.irreversible:
            said = phrasebook.needs_people(candidate.version, candidate.irreversible)
            lines.append(f"⚠️ {escaping.sentence(said, 600)}")
        if rollout.deadline is not None:
            lines.append(f"⌛ {escaping.times(phrasebook.expires(rollout.deadline))}")
    elif notice.what == "held" and rollout.hold is not None:
        unless = phrasebook.unless_decided(rollout.hold.outcome, rollout.hold.deadline)
        lines.append(f"⌛ Extend, Promote or Roll back. {escaping.times(unless)}")
    return lines


def _embed(notice: Notice, rollout: Rollout, title: str, card: str, mark: str) -> discord.Embed:
    colour = COLOUR[Phase.HALTED if notice.what == "halted" else Phase.ROLLED_BACK]
    happened = escaping.sentence(notice.text or rollout.outcome, 1500)
    embed = discord.Embed(
        title=escaping.cut(title, escaping.EMBED_TITLE), description=happened, colour=colour
    )
    if card:
        embed.url = card
    reason = failing(rollout)
    if reason is not None:
        embed.add_field(
            name=escaping.name(f"Judge: {reason.objective}", 200),
            value=_against(reason, happened),
            inline=False,
        )
    stable = escaping.code(rollout.stable.version, 40) if rollout.stable else "nothing"
    candidate = escaping.code(rollout.candidate.version, 40)
    say = wording_for(rollout.policy.words)
    embed.add_field(name=say.heading, value=_serves(say, rollout, stable, candidate), inline=True)
    lasted = (rollout.ended_at - rollout.created_at).total_seconds() if rollout.ended_at else None
    if lasted is not None:
        embed.add_field(name="Duration", value=duration(lasted), inline=True)
    todo = _next_step(notice, rollout)
    embed.add_field(
        name="Next step", value=todo + (f" [Open the card]({card})" if card else ""), inline=False
    )
    embed.set_footer(text=mark.removeprefix("-# "))
    return embed


def _next_step(notice: Notice, rollout: Rollout) -> str:
    if notice.what == "halted":
        return phrasebook.HALTED_NEXT
    if notice.what == "irreversible":
        return phrasebook.IRREVERSIBLE_NEXT
    return phrasebook.ROLLING_BACK_NEXT if rollout.observed_weight else phrasebook.ROLLED_BACK_NEXT


def _serves(say: Wording, rollout: Rollout, stable: str, candidate: str) -> str:
    share = rollout.observed_weight
    if rollout.phase is Phase.ROLLING_BACK:
        return say.going_back.format(stable=stable)
    said = say.shared if share else say.stays
    return said.format(candidate=candidate, seen=share, stable=stable, rest=100 - share)


def _against(reason: Reason, told: str) -> str:
    """Value, limit and samples, with the judge's sentence unless `told` already has it."""
    said = escaping.sentence(reason.sentence, 600)
    if reason.value is None or reason.limit is None or reason.objective == "sources":
        return said
    samples = f" of {count(reason.samples)} requests" if reason.samples else ""
    figures = f"**{percent(reason.value)}**{samples}, limit **{percent(reason.limit)}**"
    return figures if said in told else f"{figures}\n{said}"
