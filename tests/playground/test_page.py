"""The page in a real browser, with the real bot behind it."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from handlers import HANDLERS
from playground.people import APPROVER, ASKER, NEWCOMER, ONCALL_CHANNEL

pytestmark = pytest.mark.slow

HOSTILE = "<img src=x onerror='window.hit=1'><script>window.hit=1</script> &lt;b&gt; <javascript:alert(1)|click>"


def write(page: Page) -> Any:
    return page.get_by_label("Message", exact=True)


def run_command(page: Page, text: str) -> None:
    write(page).fill(text + " ")
    write(page).press("Enter")


def act_as(page: Page, name: str) -> None:
    page.get_by_role("radio", name=name).click()
    expect(page.get_by_role("radio", name=name)).to_have_attribute("aria-checked", "true")


def recycle(page: Page) -> None:
    page.get_by_role("button", name="Production recycled the hive tokens").click()
    expect(page.locator(".told")).to_contain_text("new tokens")


def latest(page: Page) -> Any:
    return page.locator("#messages .message:has(.blocks)").last


def new_plan(page: Page, ask: Callable[[], None]) -> Any:
    """Ask, and wait for the message that has an Approve button because of it."""
    waiting = page.locator("#messages .message:has([data-action-id=approve])")
    before = {row.get_attribute("data-ts") for row in waiting.all()}
    ask()
    known = ", ".join(f"[data-ts='{ts}']" for ts in before) or "[data-ts='']"
    fresh = page.locator(f"#messages .message:has([data-action-id=approve]):not({known})")
    expect(fresh).to_be_visible()
    return page.locator(f"#messages [data-ts='{fresh.get_attribute('data-ts')}']")


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the focus is there, as somebody without a mouse does."""
    for _ in range(120):
        if page.evaluate("s => document.activeElement?.matches(s) ?? false", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab never reaches {selector}")


def test_starts_quietly(opened: Any) -> None:
    """The page loads without an error or a warning, names the bot's state and puts the cursor into the field."""
    page = opened()
    expect(page.locator("#bot-state")).to_have_text("hivekeeper connected")
    expect(write(page)).to_be_focused()
    expect(page.get_by_role("heading", name="sd-uhc-oncall")).to_be_visible()


def test_completes_commands_by_keyboard(opened: Any) -> None:
    """A slash lists the commands with what they do; arrows choose, Tab takes, Escape closes."""
    page = opened()
    field = write(page)
    field.press_sequentially("/")
    options = page.get_by_role("option")
    expect(options).to_have_count(1 + len(HANDLERS))
    expect(options.first).to_have_attribute("aria-selected", "true")
    field.press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    field.press("Escape")
    expect(options).to_have_count(0)
    field.fill("/rot")
    field.press("Tab")
    expect(field).to_have_value("/rotate-hive-tokens ")
    expect(page.locator(".usage").first).to_contain_text("hive-frontend")


def test_second_person_approves(opened: Any) -> None:
    """Command, plan, refusal of the asker, approval with a confirmation by another, done and visible in the world."""
    page = opened()
    recycle(page)
    plan = new_plan(page, lambda: run_command(page, "/rotate-hive-tokens"))
    plan.get_by_role("button", name="Approve").click()
    page.get_by_role("dialog").locator(".solid").click()
    expect(page.locator(".ephemeral").last).to_contain_text("may not decide this plan")
    act_as(page, "Tomas")
    plan.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("dialog")).to_contain_text("sd-uhc/sandbox")
    page.get_by_role("dialog").locator(".solid").click()
    expect(plan).to_contain_text("Done and verified")
    expect(plan.get_by_role("button", name="Approve")).to_have_count(0)
    expect(plan).to_contain_text("Tomas")
    page.get_by_role("tab", name="World").click()
    handed_over = page.locator(".world-path", has_text="sd-uhc/sandbox-tokens").first
    expect(handed_over.get_by_text("changed")).to_have_count(2)
    plan.get_by_role("button", name="reply").click()
    expect(page.locator("#thread-messages")).to_contain_text("Done and verified")
    page.keyboard.press("Escape")
    expect(page.locator("#thread")).to_be_hidden()


def test_form_says_what_is_wrong(opened: Any) -> None:
    """A command without its parameter opens a form; an empty field is named and focused; filled, it finds nine jobs."""
    page = opened()
    run_command(page, "/secret-consumers")
    form = page.get_by_role("dialog")
    form.locator("button[type=submit]").click()
    expect(form.get_by_role("alert")).to_contain_text("required")
    field = form.get_by_role("textbox").first
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    field.fill("sd-uhc/sandbox")
    form.locator("button[type=submit]").click()
    expect(form).to_have_count(0)
    expect(latest(page)).to_contain_text("9 CI jobs read sd-uhc/sandbox")
    expect(latest(page).locator("tbody tr")).to_have_count(9)


def test_escape_closes_a_form(opened: Any) -> None:
    """Escape closes a modal and the focus is back where it was; the focus cannot leave an open one."""
    page = opened()
    run_command(page, "/secret-consumers")
    form = page.get_by_role("dialog")
    expect(form).to_be_visible()
    inside = "() => { const a = document.activeElement; return a === document.body || !!a.closest('dialog'); }"
    for _ in range(12):
        page.keyboard.press("Tab")
        assert page.evaluate(inside)
    page.keyboard.press("Escape")
    expect(form).to_have_count(0)
    expect(write(page)).to_be_focused()


def test_hostile_text_stays_text(opened: Any, person: Any, demo: Any) -> None:
    """Whatever a person or a bot writes, no element of theirs and no script comes into the page."""
    page = opened()
    person(NEWCOMER).post("message", channel=ONCALL_CHANNEL, text=HOSTILE)
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": "<i onclick=x>" + "header"}},
        {"type": "section", "text": {"type": "mrkdwn", "text": HOSTILE + " *<b>bold</b>* `<u>code</u>`"}},
        {"type": "markdown", "text": "[x](javascript:alert(1)) <iframe src=x> **<b>**"},
    ]
    post_as_bot(demo, text="hostile", blocks=blocks)
    expect(page.locator("#messages")).to_contain_text("<u>code</u>")
    assert page.evaluate("window.hit") is None
    found = "#messages :is(img, script, iframe, i, b, u, a[href^='javascript:'], [onclick], [onerror])"
    assert page.locator(found).count() == 0


class Held:
    """Answers to the page that come late: each is what the playground said when it was asked for."""

    def __init__(self, page: Page, pattern: str, first: int) -> None:
        self.page = page
        self.passed = first
        self.held: list[tuple[Any, Any]] = []
        page.wait_for_load_state("networkidle")
        page.route(pattern, self._hold)

    def _hold(self, route: Any) -> None:
        answer = route.fetch()
        if self.passed:
            self.passed -= 1
            route.fulfill(response=answer)
        else:
            self.held.append((route, answer))

    def wait(self) -> None:
        while not self.held:
            self.page.wait_for_timeout(20)

    def release(self) -> None:
        for route, answer in self.held:
            route.fulfill(response=answer)
        self.page.unroute_all()


def switching(page: Page) -> tuple[Held, Any]:
    """Somebody else is at the page, whose second answer about the state is held; and its new stream."""
    late = Held(page, "**/playground/state?*", first=1)
    with page.expect_websocket() as opening:
        act_as(page, "Tomas")
    late.wait()
    return late, opening.value


def test_an_old_answer_undoes_nothing(opened: Any, person: Any) -> None:
    """What happens while the page asks for the state is still there when an answer from before comes."""
    page = opened()
    late, stream = switching(page)
    with stream.expect_event("framereceived", lambda frame: "in the meantime" in frame):
        person(NEWCOMER).post("message", channel=ONCALL_CHANNEL, text="in the meantime")
    late.release()
    expect(page.locator("#messages")).to_contain_text("in the meantime")


def test_an_old_answer_closes_no_form(opened: Any) -> None:
    """A form that opens while the page asks for the state is there, and stays, when an answer from before comes."""
    page = opened()
    late, stream = switching(page)
    with stream.expect_event("framereceived", lambda frame: "view_opened" in frame):
        run_command(page, "/secret-consumers")
    late.release()
    form = page.get_by_role("dialog")
    form.get_by_role("textbox").first.fill("sd-uhc/sandbox")
    form.locator("button[type=submit]").click()
    expect(form).to_have_count(0)
    expect(latest(page)).to_contain_text("9 CI jobs read sd-uhc/sandbox")


def post_as_bot(demo: Any, **message: Any) -> None:
    token = (demo.folder / "bot-token").read_text()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    body = json.dumps({"channel": ONCALL_CHANNEL, **message}).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{demo.url}/api/chat.postMessage", body, headers)) as answer:
        assert json.load(answer)["ok"]


def test_fits_a_phone(opened: Any) -> None:
    """On 390 pixels nothing is wider than the window, people are in a drawer, and one can act as another."""
    page = opened(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    expect(page.locator("#sidebar")).to_be_hidden()
    page.get_by_role("button", name="Channels and people").tap()
    page.get_by_role("radio", name="Ayla").tap()
    expect(page.get_by_role("radio", name="Ayla")).to_have_attribute("aria-checked", "true")
    page.keyboard.press("Escape")
    expect(page.locator("#sidebar")).to_be_hidden()
    page.get_by_role("button", name="Scenarios, world and traffic").tap()
    expect(page.get_by_role("tab", name="World")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_whole_story_by_keyboard(opened: Any) -> None:
    """Break, ask, switch, approve, confirm: all with the keyboard."""
    page = opened()
    tab_to(page, "[data-scenario=recycle]")
    page.keyboard.press("Enter")
    expect(page.locator(".told")).to_contain_text("new tokens")
    tab_to(page, ".composer-field")
    page.keyboard.type("/rot")
    page.keyboard.press("Tab")
    plan = new_plan(page, lambda: page.keyboard.press("Enter"))
    tab_to(page, ".person")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("radio", name="Tomas")).to_have_attribute("aria-checked", "true")
    tab_to(page, f"[data-ts='{plan.get_attribute('data-ts')}'] [data-action-id=approve]")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Enter")
    expect(plan).to_contain_text("Done and verified")


def test_says_when_the_bot_is_away(opened: Any, demo: Any) -> None:
    """A bot that was killed is shown as disconnected, in words, and as connected when it is back."""
    page = opened()
    demo.bot.kill()
    expect(page.locator("#bot-state")).to_have_text("hivekeeper disconnected")
    expect(page.locator("#bot-state")).to_have_text("hivekeeper connected")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(opened: Any, person: Any, scheme: str) -> None:
    """In light and dark every visible text has the contrast that WCAG AA asks for."""
    page = opened(color_scheme=scheme)
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    person(APPROVER).post("message", channel=ONCALL_CHANNEL, text=f"`code` *b* <@{ASKER}> https://example.com")
    expect(page.locator("#messages")).to_contain_text("code")
    for tab in ("Scenarios", "World", "Traffic"):
        page.get_by_role("tab", name=tab).click()
        assert page.evaluate(CONTRAST) == []


CONTRAST = """() => {
  const x = document.createElement('canvas').getContext('2d', {willReadFrequently: true}), seen = new Map();
  const paint = (c) => { x.clearRect(0, 0, 1, 1); x.fillStyle = c; x.fillRect(0, 0, 1, 1); return [...x.getImageData(0, 0, 1, 1).data]; };
  const rgb = (c) => seen.get(c) ?? seen.set(c, paint(c)).get(c);
  const light = ([r, g, b]) => [r, g, b].map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; })
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const over = (top, under) => top.slice(0, 3).map((v, i) => v * top[3] / 255 + under[i] * (1 - top[3] / 255));
  const ground = (n) => { const own = rgb(getComputedStyle(n).backgroundColor);
    return own[3] === 255 ? own : over(own, n.parentElement ? ground(n.parentElement) : [255, 255, 255]); };
  const bad = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const n = walk.currentNode.parentElement, style = getComputedStyle(n);
    if (!walk.currentNode.data.trim() || !n.checkVisibility({opacityProperty: true}) || n.closest('.sr-only, :disabled, noscript, .skip')) continue;
    const [a, b] = [light(over(rgb(style.color), ground(n))), light(ground(n))];
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.6 && style.fontWeight >= 700);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < (large ? 3 : 4.5)) bad.push(`${n.className || n.tagName}: ${walk.currentNode.data.trim().slice(0, 30)} ${ratio.toFixed(2)}`);
  }
  return [...new Set(bad)];
}"""
