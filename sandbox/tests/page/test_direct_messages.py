"""Direct messages, reactions and unread badges, as people see and use them."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from page.conftest import Open, Stage, Tab

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

OVERFLOW = "() => document.documentElement.scrollWidth - innerWidth"


async def write_to(stage: Stage, person: str, content: str) -> int:
    """A direct message from the bot; the status of its answer."""
    sandbox = stage.sandbox
    headers = {"Authorization": f"Bot {sandbox.token('robot')}"}
    body = {"recipient_id": sandbox.person_id(person)}
    async with stage.http.post(f"{sandbox.api_base}/users/@me/channels", json=body, headers=headers) as got:
        channel = (await got.json())["id"]
    address = f"{sandbox.api_base}/channels/{channel}/messages"
    async with stage.http.post(address, json={"content": content}, headers=headers) as got:
        return got.status


async def picture(tab: Tab, name: str) -> None:
    """Keep what is on screen, if someone wants to look."""
    if folder := os.environ.get("PAGE_PICTURES"):
        await tab.page.screenshot(path=Path(folder) / f"{name}.png")


async def calls(tab: Tab) -> int:
    """How often the tab's title says that the person was called: other tests mention people of the same world."""
    found = re.match(r"\((\d+)\) ", await tab.page.title())
    return int(found[1]) if found else 0


def listed(tab: Tab, name: str) -> Any:
    return tab.page.locator("#channels").get_by_role("link", name=name, exact=True)


async def test_a_direct_message_is_announced_counted_read_and_answered(open_tab: Open, stage: Stage) -> None:
    tab = await open_tab("workshop/general", user="kim")
    await expect(tab.page.locator("#channels .directs")).to_have_count(0)
    before = await calls(tab)
    assert await write_to(stage, "kim", "the kitchen needs you") == 200
    await expect(tab.page.locator(".toast")).to_contain_text("direct message")
    assert await write_to(stage, "kim", "it still does") == 200
    await expect(listed(tab, "Robot, 2 new messages")).to_be_visible()
    await expect(tab.page).to_have_title(f"({before + 2}) #general · workshop")
    await picture(tab, "direct-unread")
    await listed(tab, "Robot, 2 new messages").click()
    await expect(tab.page.get_by_role("heading", level=1).first).to_have_text("Robot")
    await expect(listed(tab, "Robot")).to_have_attribute("aria-current", "page")
    await expect(tab.rows.last).to_contain_text("it still does")
    await expect(tab.page.locator(".toast")).to_have_count(0)
    assert await tab.page.locator("#main-view .mentioned").count() == 0
    await tab.type("I am on it")
    await tab.keys("Enter")
    await expect(tab.rows.last).to_contain_text("I am on it")
    await picture(tab, "direct")
    other = await open_tab("workshop/@robot", user="ben")
    await expect(other.page.get_by_role("heading", level=1).first).to_have_text("general")
    await other.page.get_by_role("button", name="Acting as Ben").click()
    await other.page.get_by_role("menuitemradio", name="Kim").click()
    await expect(listed(other, "Robot, 2 new messages")).to_be_visible()


async def test_another_persons_messages_are_marked_at_the_acting_person(open_tab: Open, stage: Stage) -> None:
    tab = await open_tab("workshop/general", user="ada")
    assert await write_to(stage, "guest", "yours") == 200
    await tab.page.get_by_role("button", name="Acting as Ada").click()
    await expect(tab.page.get_by_role("menuitemradio", name="Guest").locator(".badge")).to_be_visible()
    await expect(tab.page.locator("#channels .directs")).to_have_count(0)


async def test_a_person_refuses_direct_messages_with_a_switch(open_tab: Open, stage: Stage) -> None:
    tab = await open_tab("workshop/general", user="guest")
    await tab.page.get_by_role("button", name="Acting as Guest").click()
    switch = tab.page.get_by_role("menuitemcheckbox", name="Direct messages")
    await expect(switch).to_be_checked()
    await switch.click()
    await expect(switch).not_to_be_checked()
    await picture(tab, "direct-refused")
    assert await write_to(stage, "guest", "hello?") == 403
    await tab.keys("ArrowUp", "ArrowDown", "Enter")
    await expect(switch).to_be_checked()
    assert await write_to(stage, "guest", "hello?") == 200


async def test_people_react_and_take_it_back(open_tab: Open, stage: Stage) -> None:
    await stage.say("mia", "support", "who is on it?")
    tab = await open_tab("workshop/support", user="ada")
    row = tab.rows.last
    await row.hover()
    await row.get_by_role("button", name="Add a reaction").click()
    await picture(tab, "reaction-palette")
    await tab.keys("ArrowRight", "ArrowRight", "Enter")
    mine = row.get_by_role("button", name="👀, 1: Ada")
    await expect(mine).to_have_attribute("aria-pressed", "true")
    message = await row.get_attribute("data-id")
    await stage.call("POST", "reactions", user="ben", message=message, emoji="👀")
    await stage.call("POST", "reactions", user="ben", message=message, emoji="📌")
    both = row.get_by_role("button", name="👀, 2: Ada, Ben")
    await expect(both).to_be_visible()
    await picture(tab, "reactions")
    await both.click()
    await expect(row.get_by_role("button", name="👀, 1: Ben")).to_have_attribute("aria-pressed", "false")
    await row.get_by_role("button", name="📌, 1: Ben").click()
    await expect(row.get_by_role("button", name="📌, 2: Ben, Ada")).to_be_visible()
    await row.get_by_role("button", name="Add a reaction").last.click()
    await tab.keys("Escape")
    await expect(tab.page.get_by_role("menu", name="Reactions")).to_have_count(0)


async def test_custom_emoji_are_pictures_in_reactions_and_text(open_tab: Open, stage: Stage) -> None:
    blob = await stage.call("POST", "emojis", name="blob")
    said = await stage.say("mia", "support", f"soup <:blob:{blob['id']}> and <:gone:1>")
    await stage.call("POST", "reactions", user="ben", message=said["id"], emoji=":blob:")
    tab = await open_tab("workshop/support", user="ada")
    row = tab.rows.last
    await expect(row).to_contain_text("and :gone:")
    await expect(row.locator("img.emoji-picture[alt=':blob:']")).to_have_count(2)
    for shown in await row.locator("img.emoji-picture").element_handles():
        await tab.page.wait_for_function("(el) => el.naturalWidth === 32", arg=shown)
    await picture(tab, "custom-emoji")
    await row.get_by_role("button", name=":blob:, 1: Ben").click()
    await expect(row.get_by_role("button", name=":blob:, 2: Ben, Ada")).to_be_visible()


async def test_on_a_phone_the_menu_button_says_that_something_waits(open_tab: Open, stage: Stage) -> None:
    tab = await open_tab("workshop/news", user="mia", width=390, height=780, has_touch=True, is_mobile=True)
    await expect(tab.page.get_by_role("button", name="Channels", exact=True)).to_be_visible()
    await write_to(stage, "mia", "Table 4 has waited for an hour, and no one has the order.")
    await stage.say("ada", "general", f"<@{stage.sandbox.person_id('mia')}> see your messages")
    button = tab.page.get_by_role("button", name="Channels, 2 unread")
    await expect(button).to_be_visible()
    await picture(tab, "phone-unread")
    await button.click()
    await expect(listed(tab, "general, 1 mention")).to_be_visible()
    await picture(tab, "phone-list")
    await listed(tab, "Robot, 1 new message").click()
    await expect(tab.rows.last).to_contain_text("no one has the order")
    await tab.rows.last.tap()
    await tab.rows.last.get_by_role("button", name="Add a reaction").click()
    await picture(tab, "phone-palette")
    await tab.page.get_by_role("menuitem", name="thumbs up", exact=True).click()
    await expect(tab.rows.last.get_by_role("button", name="👍, 1: Mia")).to_be_visible()
    await picture(tab, "phone-direct")
    assert await tab.page.evaluate(OVERFLOW) == 0
