"""Layout of a rollout's card, drawn from `RolloutView` alone, to be read on a phone at 3 a.m.

From top to bottom: release and state, requester, position in the plan, what people have to do, numbers against their
limits, chart, buttons allowed in this state.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import discord

from bot.domain import phrasebook
from bot.domain.formatting import duration
from bot.domain.rollout.changes import Changes
from bot.domain.rollout.machine import machine
from bot.domain.rollout.model import Action, Actor, Phase, Rollout
from bot.domain.rollout.steps import meaning
from bot.domain.rollout.wording import wording_for
from bot.engine.api import RolloutView
from bot.ui import escaping
from bot.ui.buttons import WhyButton, buttons
from bot.ui.cards.measurements import fine_print, verdict_lines
from bot.ui.cards.phases import COLOUR, shape, step_row, word
from bot.ui.cards.prompts import asked

CHART_FILE = "chart.png"
_WAITS = frozenset({Phase.GATED, Phase.HELD, Phase.HALTED})
_EXPLAINED = frozenset({Phase.ROLLING_BACK, Phase.HALTED})
_SHOWS_READINESS = frozenset({Phase.VERIFYING, Phase.GATED, Phase.SHIFTING, Phase.SOAKING, Phase.HELD})


@dataclass(frozen=True, slots=True)
class CardPosition:
    """Where the card is: its number (1, plus one each time it is reposted) and its thread."""

    number: int = 1
    thread_id: int | None = None
    moved: bool = False  # the thread belongs to an older message


@dataclass(frozen=True, slots=True)
class Drawn:
    """A card ready to send. Same `digest`: it looks the same. Same `shape`: only numbers differ."""

    view: discord.ui.LayoutView
    digest: str
    shape: str


def draw(
    seen: RolloutView,
    now: datetime,
    place: CardPosition = CardPosition(),
    *,
    chart: bool = False,
    actions: Callable[[Rollout, datetime], Iterable[Action]] | None = None,
) -> Drawn:
    """Draw the card. `chart`: an image is attached as `CHART_FILE`."""
    rollout = seen.rollout
    allowed = frozenset((actions or machine.allowed_actions)(rollout, now))
    box: discord.ui.Container[Any] = discord.ui.Container(accent_colour=COLOUR[rollout.phase])
    calls, tells = asked(seen, shows_readiness(rollout)), [_facts(rollout), step_row(rollout)]
    # When the rollout waits for people, what they have to do comes first.
    waited_for = rollout.phase in _WAITS or rollout.pause is not None
    _add_texts(box, [_headline(rollout), *(calls + tells if waited_for else tells + calls)])
    numbers = verdict_lines(rollout)
    if numbers:
        box.add_item(discord.ui.Separator())
        _add_texts(box, ["\n".join(numbers) + "\n" + fine_print(rollout)])
    if chart:
        gallery: discord.ui.MediaGallery[Any] = discord.ui.MediaGallery()
        gallery.add_item(media=f"attachment://{CHART_FILE}", description=_alt(rollout))
        box.add_item(gallery)
    pressable: list[discord.ui.Button[Any]] = [*buttons(rollout.id, rollout.step, rollout.seal, allowed)]
    if rollout.judge_state is not None and rollout.judge_state.at is not None:
        pressable.append(WhyButton(rollout.id))
    for start in range(0, len(pressable), 5):
        box.add_item(discord.ui.ActionRow(*pressable[start : start + 5]))
    _add_texts(box, [_footer(rollout, place)])
    view = discord.ui.LayoutView(timeout=None)
    view.add_item(box)
    return Drawn(view, _digest(_payload(view)), shape_of(rollout, allowed))


def pointer(rollout: Rollout, link: str, number: int) -> discord.ui.LayoutView:
    """The message left where a moved card used to be."""
    view = discord.ui.LayoutView(timeout=None)
    said = f"{shape(rollout)} {_title(rollout)}\nThis card moved down to stay live: {link}"
    view.add_item(discord.ui.TextDisplay(said))
    view.add_item(discord.ui.TextDisplay(marker(rollout.id, number)))
    return view


def marker(rollout_id: int, number: int) -> str:
    """The line that identifies a card, so that a retry finds one that was already posted."""
    return f"-# Rollout {rollout_id}" + (f" · card {number}" if number > 1 else "")


def shows_readiness(rollout: Rollout) -> bool:
    return rollout.readiness is not None and rollout.phase in _SHOWS_READINESS


def _title(rollout: Rollout) -> str:
    service = escaping.plain(rollout.lane.service, 60)
    version = escaping.plain(rollout.candidate.version, 40)
    return f"**{service} {version} → {escaping.plain(rollout.lane.environment, 40)}**"


def _headline(rollout: Rollout) -> str:
    lines = [f"## {_title(rollout)[2:-2]}", f"{shape(rollout)} **{word(rollout)}** · {_serving(rollout)}"]
    if rollout.outcome and (rollout.phase.final or rollout.phase in _EXPLAINED):
        lines.append(escaping.sentence(rollout.outcome, 500))
    if not rollout.phase.final or not rollout.outcome:
        lines.append(f"-# {meaning(rollout)}")
    if rollout.waits_for:
        lines.append(f"⏳ {escaping.sentence(phrasebook.waiting(rollout.waits_for), 400)}")
    if rollout.phase.final and rollout.ended_at is not None:
        took = duration((rollout.ended_at - rollout.created_at).total_seconds())
        lines.append(f"-# Ended {escaping.relative(rollout.ended_at)}, after {took}.")
    return "\n".join(lines)


def _serving(rollout: Rollout) -> str:
    """What serves users now: the first thing to know about a bad release."""
    version = escaping.code(rollout.candidate.version, 40)
    say = wording_for(rollout.policy.words)
    return say.standing(version, rollout.observed_weight, rollout.weight, rollout.phase)


def _facts(rollout: Rollout) -> str:
    before = escaping.code(rollout.stable.version, 40) if rollout.stable else "nothing"
    by = _requester(rollout.requester)
    lines = [f"{before} → {escaping.code(rollout.candidate.version, 40)} · requested by {by}"]
    if rollout.known_good:
        lines[0] += f" · {wording_for(rollout.policy.words).straight}"
    if rollout.reason:
        lines.append(f"> {escaping.plain(rollout.reason, 400)}")
    lines += changes_line(rollout.changes)
    changes = rollout.candidate.spec.get("changes")
    if isinstance(changes, list | tuple):
        lines += [
            f"{'⚠️ ' if 'DANGER' in one else '• '}{escaping.plain(one, 200)}" for one in map(str, changes[:12])
        ]
    lines += [f"{'✓' if p.met else '✗'} {escaping.sentence(p.sentence, 200)}" for p in rollout.preconditions]
    return "\n".join(lines)


def changes_line(changes: Changes | None) -> list[str]:
    """Commits, as far as they are known, with the page on which people can read them."""
    if changes is None:
        return []
    said = [escaping.plain(changes.sentence, 400)] if changes.sentence else []
    commits = " → ".join(escaping.code(each[:10]) for each in (changes.before, changes.after) if each)
    page = "compare" if changes.before else "commit"
    link = f" · [{page}]({changes.link})" if changes.link else ""
    mark = "⚠️" if changes.problem else "📝"
    return [f"{mark} {' '.join([*said, commits])}{link}"]


def _requester(actor: Actor) -> str:
    """A mention for a Discord user, which on cards never notifies; the name where that says more, as of a token."""
    if actor.via == "system":
        return "Slipway"
    if len(actor.ids) > 1:  # an account of a machine, and the person behind it
        return f"{escaping.plain(actor.name, 80)}, <@{actor.mention}>"
    mentioned = actor.via == "discord" and actor.id > 0
    return f"<@{actor.id}>" if mentioned else escaping.plain(actor.name, 80)


def _footer(rollout: Rollout, place: CardPosition) -> str:
    parts = [marker(rollout.id, place.number), f"requested {escaping.moment(rollout.created_at)}"]
    if place.thread_id is not None and place.moved:
        parts.append(f"log in <#{place.thread_id}>")
    if rollout.seal:
        parts.append(f"seal {rollout.seal[:8]}")
    return " · ".join(parts)


def _alt(rollout: Rollout) -> str:
    service = escaping.name(rollout.lane.service, 60)
    return f"Error rate and latency of {service}: candidate and stable over time, with limits."


def _add_texts(box: discord.ui.Container[Any], parts: list[str]) -> None:
    """Add each part as a text, within Discord's limit for all texts of a message."""
    for part in parts:
        used = sum(
            escaping.units(item.content) for item in box.children if isinstance(item, discord.ui.TextDisplay)
        )
        left = escaping.CARD - used - 200
        if left > 20:
            box.add_item(discord.ui.TextDisplay(escaping.cut(part, min(left, 1500))))


def _payload(view: discord.ui.LayoutView) -> list[dict[str, Any]]:
    payload: list[dict[str, Any]] = view.to_components()  # type: ignore[no-untyped-call]
    return payload


def _digest(components: Any) -> str:
    drawn = json.dumps(components, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(drawn.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def shape_of(rollout: Rollout, allowed: Iterable[Action]) -> str:
    """Equal for states that differ only in numbers."""
    hold = rollout.hold
    what: list[object] = [
        rollout.phase,
        rollout.step,
        rollout.weight,
        rollout.observed_weight,
        rollout.outcome,
        sorted(allowed),
        [a.actor_id for a in rollout.approvals],
        hold.why if hold else None,
        bool(rollout.pause),
        rollout.deadline,
        rollout.verdict.outcome if rollout.verdict else None,
    ]
    return repr(what)
