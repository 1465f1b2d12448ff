"""Verbs: what people do."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from demo.stories.language import GIVEN, PEOPLE, Lane, StoryError, verb
from demo.stories.scene import Scene, says
from demo.stories.world import Message


@verb(
    PEOPLE, "{who}: /{command}( {options})", "dev: /deploy service:checkout version:1.5.0 environment:staging"
)
async def command(scene: Scene, who: str, command: str, options: Mapping[str, str] | None = None) -> None:
    """A person sends a slash command in #deploys; options are written as Discord shows them."""
    scene.answered(await scene.world.command(who, command, options or {}))


@verb(PEOPLE, "{who} presses [{button}]( on {message})", "lead presses [Approve]")
async def press(scene: Scene, who: str, button: str, message: str = "the card") -> None:
    """A person presses a button, of the card unless the line says where; it must be there."""
    found = await scene.message(message)
    if message.startswith(("#", "@")):
        pressable = (one for one in await scene.candidates(message) if button in one.buttons)
        found = next(pressable, found)
    if button not in found.buttons:
        shown = ", ".join(found.buttons) or "no buttons"
        raise StoryError(f"{message} has no [{button}], it has {shown}")
    scene.answered(await scene.world.press(who, found, button))


@verb(PEOPLE, "{who} submits {fields}", "lead submits reason: it has soaked long enough")
async def submit(scene: Scene, who: str, fields: Mapping[str, str]) -> None:
    """A person fills in the form that their press opened."""
    form = scene.answer
    if form is None or not form.form:
        raise StoryError("no form is open")
    scene.answered(await scene.world.submit(who, form, fields))


@verb(PEOPLE, "{who} picks {choice} in {message}", "dev picks the first in the answer")
async def pick(scene: Scene, who: str, choice: str, message: str) -> None:
    """A person picks from a select menu: `the first` entry, or the one with these words in its label."""
    found = await scene.message(message)
    fitting = [one for one in found.choices if choice == "the first" or says(one, [choice])]
    if not fitting:
        raise StoryError(f"{message} offers {', '.join(found.choices) or 'nothing to pick'}")
    scene.answered(await scene.world.choose(who, found, fitting[0]))


@verb(GIVEN, "given {version} of {lane}(, {status})", "given 1.5.0 of checkout in production, soaking")
async def given(scene: Scene, version: str, lane: Lane, status: str = "succeeded") -> None:
    """Dev deployed a version before, lead approved it, and now it stands so; how it came to that is not told."""
    options = {"service": lane.service, "version": version, "environment": lane.environment}
    await command(scene, "dev", "deploy", options)

    async def look() -> Message | None:
        there = await scene.showing("the card", status)
        for card in () if there else await scene.candidates("the card"):
            if "Approve" in card.buttons:
                # The card may have been redrawn since it was read.
                with contextlib.suppress(StoryError):
                    await scene.world.press("lead", card, "Approve")
        return there

    await scene.until(f"{version} of {lane} to show {status}", look)
    await scene.open_chapter()
