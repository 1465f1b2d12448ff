"""Files, replies, edits and deletions on the page."""

import pytest
from playwright.async_api import expect

from page.conftest import Open, Stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_files_go_with_text_or_alone(open_tab: Open) -> None:
    tab = await open_tab("workshop/news")
    tray = tab.page.locator("#main-view .tray")
    await tab.page.locator("#main-view input[type=file]").set_input_files(
        [
            {"name": "menu.txt", "mimeType": "text/plain", "buffer": b"soup"},
            {"name": "bill.txt", "mimeType": "text/plain", "buffer": b"5"},
        ]
    )
    await expect(tray.get_by_role("listitem")).to_have_text(["menu.txt4 B", "bill.txt1 B"])
    await tray.get_by_role("button", name="Remove bill.txt").click()
    await tab.type("today")
    await tab.keys("Enter")
    await expect(tray).to_be_hidden()
    await expect(tab.rows.last).to_contain_text("today")
    await expect(tab.rows.last).to_contain_text("menu.txt")
    await tab.page.locator("#main-view input[type=file]").set_input_files(
        {"name": "alone.txt", "mimeType": "text/plain", "buffer": b"x"}
    )
    await tab.page.get_by_role("button", name="Send").click()
    await expect(tab.rows.last).to_contain_text("alone.txt")


async def test_a_reply_shows_what_it_answers(open_tab: Open, stage: Stage) -> None:
    asked = await stage.say("ben", "news", "who cooks tonight?")
    tab = await open_tab("workshop/news")
    row = tab.page.locator(f"#main-view li[data-id='{asked['id']}']")
    tray = tab.page.locator("#main-view .tray")
    await row.hover()
    await row.get_by_role("button", name="Reply").click()
    await expect(tray).to_contain_text("Replying to Ben")
    await tab.keys("Escape")
    await expect(tray).to_be_hidden()
    await row.hover()
    await row.get_by_role("button", name="Reply").click()
    await tray.get_by_role("button", name="@ on").click()
    await tab.type("I do")
    await tab.keys("Enter")
    await expect(tab.rows.last).to_contain_text("I do")
    await expect(tab.rows.last.locator(".context")).to_contain_text("who cooks tonight?")
    last = (await stage.call("GET", "channels/news/messages?limit=1"))["messages"][0]
    assert (last["reference"]["message_id"], last["notified"]) == (asked["id"], [])


async def test_the_newest_own_message_is_edited_with_the_up_key_and_deleted(
    open_tab: Open, stage: Stage
) -> None:
    tab = await open_tab("workshop/news")
    said = await stage.say("ada", "news", "tee is ready")
    row = tab.page.locator(f"#main-view li[data-id='{said['id']}']")
    await expect(row).to_contain_text("tee is ready")
    await tab.composer.click()
    await tab.keys("ArrowUp")
    await expect(tab.page.locator("#main-view .tray")).to_contain_text("Editing your message")
    await expect(tab.composer).to_have_value("tee is ready")
    await tab.composer.fill("tea is ready")
    await tab.keys("Enter")
    await expect(row).to_contain_text("tea is ready(edited)")
    await expect(tab.composer).to_have_value("")
    await tab.keys("ArrowUp", "Escape")
    await expect(tab.composer).to_have_value("")
    other = await open_tab("workshop/news", user="ben")
    theirs = other.page.locator(f"#main-view li[data-id='{said['id']}']")
    await theirs.hover()
    await expect(theirs.get_by_role("button", name="Edit")).to_have_count(0)
    await expect(theirs.get_by_role("button", name="Delete message as an administrator")).to_be_visible()
    await row.hover()
    await row.get_by_role("button", name="Delete message", exact=True).click()
    await expect(row).to_have_count(0)


async def test_a_forum_lists_its_posts_and_takes_new_ones(open_tab: Open, stage: Stage) -> None:
    made = await stage.call("POST", "channels", name="ideas", type="forum", tags=["soup", "bread"])
    tab = await open_tab("workshop/ideas")
    posts = tab.page.get_by_role("list", name="Posts")
    await expect(tab.page.get_by_text("There are no posts yet.")).to_be_visible()
    post = {"channel": "ideas", "name": "Sourdough", "content": "Daily?", "tags": ["bread"]}
    await stage.call("POST", "threads", user="ben", **post)
    await expect(posts.get_by_role("link")).to_have_text(["Sourdough · bread"])
    await tab.page.get_by_role("combobox", name="Post in #ideas").click()
    await tab.page.keyboard.type("Leek soup")
    await tab.keys("Shift+Enter")
    await tab.page.keyboard.type("With potatoes")
    await tab.keys("Enter")
    side = tab.page.locator("#thread-view")
    await expect(side.get_by_role("heading", level=1)).to_have_text("Leek soup")
    await expect(side.locator("li.message")).to_contain_text("With potatoes")
    await expect(posts.get_by_role("link")).to_have_text(["Leek soup", "Sourdough · bread"])
    await stage.call("DELETE", f"channels/{made['id']}")


async def test_polls_are_voted_on_and_forwards_are_marked(open_tab: Open, stage: Stage) -> None:
    poll = {"question": "Dinner?", "answers": ["Soup", "Bread"]}
    said = await stage.call("POST", "messages", user="ben", channel="news", poll=poll)
    await stage.call("POST", "votes", user="kim", message=said["id"], answers=["Soup"])
    tab = await open_tab("workshop/news")
    shown = tab.page.locator(f"#main-view li[data-id='{said['id']}'] .poll")
    await expect(shown.get_by_role("button")).to_have_text(["Soup1 · 100%", "Bread0 · 0%"])
    await shown.get_by_role("button", name="Bread").click()
    await expect(shown.get_by_role("button")).to_have_text(["Soup1 · 50%", "Bread1 · 50%"])
    await expect(shown.get_by_role("button", name="Bread")).to_have_attribute("aria-pressed", "true")
    await shown.get_by_role("button", name="Bread").click()
    await expect(shown.get_by_role("button", name="Bread")).to_have_attribute("aria-pressed", "false")
    plain = await stage.say("ben", "general", "soup is ready")
    await stage.call("POST", "messages", user="ben", channel="news", forward=plain["id"])
    await expect(tab.rows.last.locator(".forwarded")).to_contain_text("soup is ready")
    await expect(tab.rows.last.locator(".context")).to_have_count(0)


async def test_slow_mode_says_how_long_to_wait(open_tab: Open, stage: Stage) -> None:
    await stage.call("PATCH", "channels/support", slowmode=90)
    tab = await open_tab("workshop/support")
    tab.forgiven = ("429",)
    slow = tab.page.locator("#main-view .slow")
    await expect(slow).to_have_text("Slow mode: 1 min 30 s")
    await tab.type("one")
    await tab.keys("Enter")
    await expect(tab.rows.last).to_contain_text("one")
    await tab.type("two")
    await tab.keys("Enter")
    await expect(tab.page.locator("#main-view .suggest-note.problem")).to_contain_text(
        "ada can write in #support again in"
    )
    await expect(slow).to_contain_text("You can write again in 1 min")
    await expect(tab.composer).to_have_value("two")
    await stage.call("POST", "clock", advance=90)
    await tab.keys("Enter")
    await expect(tab.rows.last).to_contain_text("two")
    await stage.call("PATCH", "channels/support", slowmode=0)
    await expect(slow).to_be_hidden()
