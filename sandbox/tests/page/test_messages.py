"""Messages: rendering, edits, and their components."""

import re

import pytest
from playwright.async_api import expect

from page.conftest import Open, Stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

CARD = {"dish": "chocolate", "size": "large", "table": "window"}


async def test_an_edit_changes_the_message_in_place(open_tab: Open, stage: Stage) -> None:
    tab = await open_tab("workshop/support")
    await tab.run("live")
    row = tab.rows.last
    await expect(row).to_contain_text("brewed 0%")
    await row.evaluate("(el) => { el.marked = el.querySelector('.text'); }")
    await stage.go_on()
    await expect(row).to_contain_text("brewed 100%")
    assert await row.evaluate("(el) => el.marked === el.querySelector('.text')")
    await expect(row).to_contain_text("(edited)")


async def test_accepting_changes_the_card_and_the_list_keeps_its_place(open_tab: Open, stage: Stage) -> None:
    await stage.command("ada", "general", "order", **CARD)
    tab = await open_tab(user="mia")
    accept = tab.page.get_by_role("button", name="Accept").last
    picture = tab.page.get_by_role("img", name="Orders over time").last
    await picture.evaluate("(el) => { window.kept = el; }")
    await accept.click()
    card = tab.page.locator("#main-view .container").last
    await expect(card).to_contain_text("Brewing, 5% done")
    await expect(card.locator(".mention")).to_have_text("@Mia")
    assert await tab.page.evaluate("window.kept.isConnected")
    at_the_end = "(el) => el.scrollHeight - el.scrollTop - el.clientHeight <= 1"
    scroller = await tab.page.locator("#main-view .scroller").element_handle()
    await tab.page.wait_for_function(at_the_end, arg=scroller)


async def test_a_refusal_is_seen_by_the_person_who_pressed_alone(open_tab: Open, stage: Stage) -> None:
    await stage.command("ada", "general", "order", **CARD)
    ada, mia = await open_tab(user="ada"), await open_tab(user="mia")
    await ada.page.get_by_role("button", name="Accept").last.click()
    refusal = "Only a moderator can accept this."
    await expect(ada.rows.last).to_contain_text(refusal)
    await expect(ada.rows.last).to_contain_text("Only you can see this")
    await stage.say("ben", "general", "after the refusal")
    await expect(mia.rows.last).to_contain_text("after the refusal")
    await expect(mia.page.locator("#main-view .messages")).not_to_contain_text(refusal)

    mine = ada.rows.filter(has_text=refusal)
    before = await mine.count()
    await ada.page.get_by_role("button", name="Dismiss this message").last.click()
    await expect(mine).to_have_count(before - 1)


async def test_switching_the_person_changes_what_is_seen(open_tab: Open, stage: Stage) -> None:
    await stage.command("ben", "news", "order", **CARD, preview=True)
    tab = await open_tab("workshop/news", user="ben")
    await expect(tab.rows.last).to_contain_text("Would order chocolate large")
    await tab.page.get_by_role("button", name="Acting as Ben").focus()
    await tab.keys("Enter", "Home")
    await tab.page.get_by_role("menuitemradio", name="Guest").focus()
    await tab.keys("Enter")
    await expect(tab.page.get_by_role("button", name="Acting as Guest")).to_contain_text("no role")
    await expect(tab.page.locator("#main-view .messages")).not_to_contain_text("Would order")
    assert tab.page.url.endswith("#workshop/news?as=guest")


async def test_a_modal_checks_its_fields_and_submits(open_tab: Open, stage: Stage) -> None:
    await stage.command("ada", "general", "order", **CARD)
    tab = await open_tab(user="mia")
    await tab.page.get_by_role("button", name="Decline").last.click()
    modal = tab.page.get_by_role("dialog", name="Decline the order")
    reason = modal.get_by_label("Reason")
    await expect(reason).to_be_focused()
    submit = modal.get_by_role("button", name="Submit")
    await submit.click()
    await expect(modal).to_contain_text("This field is required.")
    await tab.page.keyboard.type("bad")
    await submit.click()
    await expect(modal).to_contain_text("Must be at least 5 characters.")
    await tab.page.keyboard.type(" idea")
    await expect(modal).to_contain_text("8/200")
    await modal.get_by_label("Voucher").fill("TEA-7")
    await tab.keys("Enter")
    await expect(modal).to_be_hidden()
    await expect(tab.rows.last).to_contain_text("Declined: bad idea (TEA-7)")


async def test_escape_closes_a_modal_and_the_focus_goes_back(open_tab: Open, stage: Stage) -> None:
    await stage.command("ada", "general", "order", **CARD)
    tab = await open_tab()
    decline = tab.page.get_by_role("button", name="Decline").last
    await decline.focus()
    await tab.keys("Enter")
    await expect(tab.page.get_by_role("dialog")).to_be_visible()
    await tab.keys("Escape")
    await expect(tab.page.get_by_role("dialog")).to_be_hidden()
    await expect(decline).to_be_focused()


async def test_selects_of_one_and_of_several(open_tab: Open, stage: Stage) -> None:
    await stage.command("ada", "support", "pick")
    tab = await open_tab("workshop/support")
    dish = tab.page.get_by_role("combobox", name="Dish").last
    await dish.focus()
    await tab.keys("Enter", "ArrowDown", "Enter")
    await expect(tab.rows.last).to_contain_text("You chose coffee.")
    await expect(dish).to_have_text("coffee")

    await tab.page.get_by_role("combobox", name="People").last.click()
    await tab.page.keyboard.type("m")
    await tab.keys("Enter", "ArrowDown", "Enter", "Tab")
    await expect(tab.rows.last).to_contain_text("Chosen: @Mia, @Max")


async def test_a_press_without_an_answer_fails_visibly(open_tab: Open, stage: Stage) -> None:
    await stage.command("ada", "general", "order", **CARD)
    tab = await open_tab()
    silent = tab.page.get_by_role("button", name="Silent").last
    await silent.click()
    await expect(silent).to_have_attribute("aria-busy", "true")
    await expect(tab.page.get_by_role("alert").filter(has_text="This interaction failed")).to_be_visible()
    await expect(silent).not_to_have_attribute("aria-busy", "true")


async def test_a_disabled_button_and_a_link_button(open_tab: Open, stage: Stage) -> None:
    await stage.command("ada", "general", "order", **CARD)
    tab = await open_tab()
    await expect(tab.page.get_by_role("button", name="Pause").last).to_be_disabled()
    link = tab.page.get_by_role("link", name="Recipe").last
    await expect(link).to_have_attribute("href", "https://recipes.example/d/1")
    await expect(link).to_have_attribute("rel", "noopener noreferrer")


async def test_a_picture_opens_large_and_escape_closes_it(open_tab: Open, stage: Stage) -> None:
    await stage.command("ada", "general", "order", **CARD)
    tab = await open_tab()
    await tab.page.get_by_role("button", name="Enlarge image: Orders over time").last.click()
    large = tab.page.get_by_role("dialog", name="Image")
    await expect(large.get_by_role("img")).to_be_visible()
    await tab.keys("Escape")
    await expect(large).to_be_hidden()


async def test_a_thread_opens_beside_the_channel_and_goes_on_there(open_tab: Open, stage: Stage) -> None:
    await stage.command("ada", "general", "story")
    tab = await open_tab()
    preview = tab.page.get_by_role("button", name="Open thread").last
    await expect(preview).to_contain_text("3 messages")
    await preview.click()
    panel = tab.page.get_by_role("region", name="Thread", exact=True)
    await expect(panel.locator("li.message").first).to_contain_text("Order of a large chocolate")
    await expect(panel.locator("li.message").last).to_contain_text("Brewed to 5%")
    await expect(panel.get_by_role("navigation", name="Breadcrumb")).to_contain_text("#general")
    await panel.locator("textarea").fill("looks good")
    await tab.keys("Enter")
    await expect(panel.locator("li.message").last).to_contain_text("looks good")
    await expect(preview).to_contain_text("4 messages")
    await expect(preview).to_contain_text("looks good")
    await panel.locator("textarea").focus()
    await tab.keys("Escape")
    await expect(panel).to_be_hidden()


async def test_an_alert_reaches_the_person_it_mentions(open_tab: Open, stage: Stage) -> None:
    kim, ada = (
        await open_tab("workshop/general", user="kim"),
        await open_tab("workshop/general", user="ada"),
    )
    await stage.command("ada", "support", "alert")
    toast = kim.page.get_by_label("Notifications").get_by_role("link", name="Robot · #news")
    await toast.hover()  # it stays for eight seconds, and while it is pointed at
    await expect(kim.page.get_by_role("link", name="news, 1 mention")).to_be_visible()
    await expect(ada.page.get_by_label("Notifications").get_by_role("link")).to_have_count(0)
    await ada.page.get_by_role("button", name="Acting as Ada").click()
    await expect(ada.page.get_by_role("menuitemradio", name="Kim").get_by_label("1 unread")).to_be_visible()

    await toast.click()
    await expect(kim.rows.last).to_have_class(re.compile("mentioned"))
    embed = kim.page.get_by_role("article", name="Embed: The soup was taken off the menu").last
    await expect(embed).to_contain_text("8.1%")
    assert await embed.evaluate("(el) => getComputedStyle(el).borderLeftColor") == "rgb(231, 76, 60)"


async def test_hostile_text_stays_text(open_tab: Open, stage: Stage) -> None:
    await stage.command("ada", "support", "hostile")
    await stage.say("guest", "support", "<script>window.hacked=1</script><svg onload=window.hacked=1>")
    tab = await open_tab("workshop/support")
    await expect(tab.rows.last).to_contain_text(
        "<script>window.hacked=1</script><svg onload=window.hacked=1>"
    )
    assert await tab.page.evaluate("window.hacked") is None
    links = await tab.page.locator("#main-view a").evaluate_all("(all) => all.map((a) => a.protocol)")
    assert "javascript:" not in links
    assert await tab.page.locator("#main-view .message-content :is(script, img[src='x'])").count() == 0


async def test_markup_is_what_discord_makes_of_it(open_tab: Open, stage: Stage) -> None:
    await stage.command("ada", "support", "markup")
    tab = await open_tab("workshop/support")
    text = tab.rows.filter(has_text="Heading").last.locator(".markup")
    for selector, said in (
        (".md-h1", "Heading"),
        ("strong", "bold"),
        ("em", "italics"),
        ("u", "underline"),
        ("s", "strike"),
        ("code.inline", "code"),
        (".subtext", "subtext"),
        ("pre code", "print('hello')"),
        ("blockquote", "a quote\nof two lines"),
        ("ul ul li", "nested"),
    ):
        await expect(text.locator(selector).first).to_have_text(said)
    await expect(text.get_by_role("link", name="a link")).to_have_attribute(
        "href", "https://example.com/a_(b)"
    )
    await expect(text.get_by_role("link", name="https://example.com/x?y=1", exact=True)).to_be_visible()
    await expect(text).to_contain_text("snake_case_name")
    await expect(text.locator("time[data-relative]")).to_contain_text("ago")
    hidden = text.get_by_role("button", name="Spoiler")
    await hidden.focus()
    await tab.keys("Enter")
    await expect(hidden.locator("span")).to_be_visible()


async def test_a_deleted_message_disappears(open_tab: Open, stage: Stage) -> None:
    tab = await open_tab("workshop/support")
    said = await stage.say("ada", "support", "soon gone")
    await expect(tab.rows.last).to_contain_text("soon gone")
    await stage.call("DELETE", f"messages/{said['id']}")
    await expect(tab.page.locator(f"[data-id='{said['id']}']")).to_have_count(0)
