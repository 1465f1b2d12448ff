"""What was said of a rollout in Discord, and how often: its cards, its notices, the lines of its log."""

from __future__ import annotations

import re
from collections import Counter

from demo.stories.stage import Json
from tests.support.e2e.acts import part
from tests.support.e2e.stack import Stack


async def cards(stack: Stack, id_: int, channel: str = "deploys") -> list[Json]:
    """The messages that are cards of that rollout, pointers left out."""
    mark = re.compile(rf"^-# Rollout {id_} · (card \d+ · )?requested ", re.MULTILINE)
    return [m for m in await stack.stage.messages(channel) if mark.search(m["text"])]


async def notices(stack: Stack, id_: int, channel: str) -> Counter[str]:
    """How often each notice of that rollout was posted, by its reference."""
    found: Counter[str] = Counter()
    for message in await stack.stage.messages(channel):
        for line in message["text"].splitlines():
            if line.removeprefix("-# ").startswith(f"Rollout {id_} · ref "):
                found[line.rpartition(" ")[2]] += 1
    return found


async def said_once(stack: Stack, id_: int) -> None:
    """When all is done: one card, every notice once, every line of the log once."""
    await stack.settled(id_)
    assert len(await cards(stack, id_)) == 1
    for channel in ("deploys", "alerts"):
        assert all(n == 1 for n in (await notices(stack, id_, channel)).values())
    wanted = Counter(part(e, "payload")["text"] for e in await stack.effects(id_) if e["kind"] == "log_line")
    got = Counter(m["content"].partition(" ")[2] for m in await stack.thread(id_) if m["content"])
    assert sum(got.values()) == sum(wanted.values())
    assert set(got) == set(wanted)
