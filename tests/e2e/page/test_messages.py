"""Messages: how they look, how they change, and what one can press in them."""

import re

import pytest
from playwright.async_api import expect

from tests.e2e.page.conftest import Open, Stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

CARD = {"service": "checkout", "version": "1.5.0", "environment": "production"}


async def test_an_edit_changes_the_message_in_place(open_tab: Open) -> None:
    tab = await open_tab("harbor/incidents")
    await tab.run("live")
    row = tab.rows.last
    await expect(row).to_contain_text("weight 0 %")
    await row.evaluate("(el) => { el.marked = el.querySelector('.text'); }")
    await expect(row).to_contain_text("weight 100 %")
    assert await row.evaluate("(el) => el.marked === el.querySelector('.text')")
    await expect(row).to_contain_text("(edited)")


async def test_approving_changes_the_card_and_the_list_keeps_its_place(open_tab: Open, stage: Stage) -> None:
    await stage.command("dev", "deploys", "deploy", **CARD)
    tab = await open_tab(user="lead")
    approve = tab.page.get_by_role("button", name="Approve").last
    picture = tab.page.get_by_role("img", name="Error rate over time").last
    await picture.evaluate("(el) => { window.kept = el; }")
    await approve.click()
    card = tab.page.locator("#main-view .container").last
    await expect(card).to_contain_text("Soaking at 5 %")
    await expect(card.locator(".mention")).to_have_text("@Lead")
    assert await tab.page.evaluate("window.kept.isConnected")
    gap = "(el) => el.scrollHeight - el.scrollTop - el.clientHeight"
    assert await tab.page.locator("#main-view .scroller").evaluate(gap) <= 1


async def test_a_refusal_is_seen_by_the_person_who_pressed_alone(open_tab: Open, stage: Stage) -> None:
    await stage.command("dev", "deploys", "deploy", **CARD)
    dev, lead = await open_tab(user="dev"), await open_tab(user="lead")
    await dev.page.get_by_role("button", name="Approve").last.click()
    refusal = "Only a release manager may approve this."
    await expect(dev.rows.last).to_contain_text(refusal)
    await expect(dev.rows.last).to_contain_text("Only you can see this")
    await stage.say("dev2", "deploys", "after the refusal")
    await expect(lead.rows.last).to_contain_text("after the refusal")
    await expect(lead.page.locator("#main-view .messages")).not_to_contain_text(refusal)

    mine = dev.rows.filter(has_text=refusal)
    before = await mine.count()
    await dev.page.get_by_role("button", name="Dismiss this message").last.click()
    await expect(mine).to_have_count(before - 1)


async def test_switching_the_person_changes_what_is_seen(open_tab: Open, stage: Stage) -> None:
    await stage.command("dev2", "alerts", "deploy", **CARD, dry_run=True)
    tab = await open_tab("harbor/alerts", user="dev2")
    await expect(tab.rows.last).to_contain_text("Would deploy checkout 1.5.0")
    await tab.page.get_by_role("button", name="Acting as Dev Two").focus()
    await tab.keys("Enter", "Home")
    await tab.page.get_by_role("menuitemradio", name="Guest").focus()
    await tab.keys("Enter")
    await expect(tab.page.get_by_role("button", name="Acting as Guest")).to_contain_text("no role")
    await expect(tab.page.locator("#main-view .messages")).not_to_contain_text("Would deploy")
    assert tab.page.url.endswith("#harbor/alerts?as=guest")


async def test_a_modal_checks_its_fields_and_submits(open_tab: Open, stage: Stage) -> None:
    await stage.command("dev", "deploys", "deploy", **CARD)
    tab = await open_tab(user="lead")
    await tab.page.get_by_role("button", name="Reject").last.click()
    modal = tab.page.get_by_role("dialog", name="Reject the rollout")
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
    await modal.get_by_label("Ticket").fill("OPS-7")
    await tab.keys("Enter")
    await expect(modal).to_be_hidden()
    await expect(tab.rows.last).to_contain_text("Rejected: bad idea (OPS-7)")


async def test_escape_closes_a_modal_and_the_focus_goes_back(open_tab: Open, stage: Stage) -> None:
    await stage.command("dev", "deploys", "deploy", **CARD)
    tab = await open_tab()
    reject = tab.page.get_by_role("button", name="Reject").last
    await reject.focus()
    await tab.keys("Enter")
    await expect(tab.page.get_by_role("dialog")).to_be_visible()
    await tab.keys("Escape")
    await expect(tab.page.get_by_role("dialog")).to_be_hidden()
    await expect(reject).to_be_focused()


async def test_selects_of_one_and_of_several(open_tab: Open, stage: Stage) -> None:
    await stage.command("dev", "incidents", "pick")
    tab = await open_tab("harbor/incidents")
    service = tab.page.get_by_role("combobox", name="Service").last
    await service.focus()
    await tab.keys("Enter", "ArrowDown", "Enter")
    await expect(tab.rows.last).to_contain_text("You chose catalog.")
    await expect(service).to_have_text("catalog")

    await tab.page.get_by_role("combobox", name="People").last.click()
    await tab.page.keyboard.type("lead")
    await tab.keys("Enter", "ArrowDown", "Enter", "Tab")
    await expect(tab.rows.last).to_contain_text("Chosen: @Lead, @Lead Two")


async def test_a_press_that_nobody_answers_fails_visibly(open_tab: Open, stage: Stage) -> None:
    await stage.command("dev", "deploys", "deploy", **CARD)
    tab = await open_tab()
    silent = tab.page.get_by_role("button", name="Silent").last
    await silent.click()
    await expect(silent).to_have_attribute("aria-busy", "true")
    await expect(tab.page.get_by_role("alert").filter(has_text="This interaction failed")).to_be_visible()
    await expect(silent).not_to_have_attribute("aria-busy", "true")


async def test_a_disabled_button_and_a_link_button_are_what_they_say(open_tab: Open, stage: Stage) -> None:
    await stage.command("dev", "deploys", "deploy", **CARD)
    tab = await open_tab()
    await expect(tab.page.get_by_role("button", name="Pause").last).to_be_disabled()
    link = tab.page.get_by_role("link", name="Dashboard").last
    await expect(link).to_have_attribute("href", "https://grafana.example/d/1")
    await expect(link).to_have_attribute("rel", "noopener noreferrer")


async def test_a_picture_opens_large_and_escape_closes_it(open_tab: Open, stage: Stage) -> None:
    await stage.command("dev", "deploys", "deploy", **CARD)
    tab = await open_tab()
    await tab.page.get_by_role("button", name="Enlarge image: Error rate over time").last.click()
    large = tab.page.get_by_role("dialog", name="Image")
    await expect(large.get_by_role("img")).to_be_visible()
    await tab.keys("Escape")
    await expect(large).to_be_hidden()


async def test_a_thread_opens_beside_the_channel_and_goes_on_there(open_tab: Open, stage: Stage) -> None:
    await stage.command("dev", "deploys", "story")
    tab = await open_tab()
    preview = tab.page.get_by_role("button", name="Open thread").last
    await expect(preview).to_contain_text("3 messages")
    await preview.click()
    panel = tab.page.get_by_role("region", name="Thread", exact=True)
    await expect(panel.locator("li.message").first).to_contain_text("Rollout of checkout 1.5.0")
    await expect(panel.locator("li.message").last).to_contain_text("Shifted to 5 %")
    await expect(panel.get_by_role("navigation", name="Breadcrumb")).to_contain_text("#deploys")
    await panel.locator("textarea").fill("looks good")
    await tab.keys("Enter")
    await expect(panel.locator("li.message").last).to_contain_text("looks good")
    await expect(preview).to_contain_text("4 messages")
    await expect(preview).to_contain_text("looks good")
    await panel.locator("textarea").focus()
    await tab.keys("Escape")
    await expect(panel).to_be_hidden()


async def test_an_alert_reaches_the_person_it_mentions(open_tab: Open, stage: Stage) -> None:
    oncall, dev = (
        await open_tab("harbor/deploys", user="oncall"),
        await open_tab("harbor/deploys", user="dev"),
    )
    await stage.command("dev", "incidents", "alert")
    toast = oncall.page.get_by_label("Notifications").get_by_role("link", name="Slipway · #alerts")
    await expect(toast).to_be_visible()
    await expect(oncall.page.get_by_role("link", name="alerts, 1 mentions")).to_be_visible()
    await expect(dev.page.get_by_label("Notifications").get_by_role("link")).to_have_count(0)
    await dev.page.get_by_role("button", name="Acting as Dev").click()
    await expect(
        dev.page.get_by_role("menuitemradio", name="On-call").get_by_label("1 mentions")
    ).to_be_visible()

    await toast.click()
    await expect(oncall.rows.last).to_have_class(re.compile("mentioned"))
    embed = oncall.page.get_by_role("article", name="Embed: checkout 1.5.1 was rolled back").last
    await expect(embed).to_contain_text("8.1 %")
    assert await embed.evaluate("(el) => getComputedStyle(el).borderLeftColor") == "rgb(231, 76, 60)"


async def test_hostile_text_stays_text(open_tab: Open, stage: Stage) -> None:
    await stage.command("dev", "incidents", "hostile")
    await stage.say("guest", "incidents", "<script>window.hacked=1</script><svg onload=window.hacked=1>")
    tab = await open_tab("harbor/incidents")
    await expect(tab.rows.last).to_contain_text(
        "<script>window.hacked=1</script><svg onload=window.hacked=1>"
    )
    assert await tab.page.evaluate("window.hacked") is None
    links = await tab.page.locator("#main-view a").evaluate_all("(all) => all.map((a) => a.protocol)")
    assert "javascript:" not in links
    assert await tab.page.locator("#main-view .message-content :is(script, img[src='x'])").count() == 0


async def test_markup_is_what_discord_makes_of_it(open_tab: Open, stage: Stage) -> None:
    await stage.command("dev", "incidents", "markup")
    tab = await open_tab("harbor/incidents")
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


async def test_a_deleted_message_goes(open_tab: Open, stage: Stage) -> None:
    tab = await open_tab("harbor/incidents")
    said = await stage.say("dev", "incidents", "soon gone")
    await expect(tab.rows.last).to_contain_text("soon gone")
    await stage.call("DELETE", f"messages/{said['id']}")
    await expect(tab.page.locator(f"[data-id='{said['id']}']")).to_have_count(0)
