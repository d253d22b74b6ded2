"""Longer stories on the demo's page, in a real browser with the real bot behind it: managed tokens, and a runbook that
is walked through."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from playground.managed_scenarios import FULL
from playground.people import APPROVER, ASKER

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

SLOWLY = 60_000  # milliseconds; the machine may be busy


def ask(page: Page, text: str) -> None:
    box = page.get_by_label("Message", exact=True)
    box.fill(text + " ")
    box.press("Enter")


def push(page: Page, until: Any) -> None:
    """Ask once the second of the last push is over: what was brought within it is left alone."""
    before = time.time()
    until(lambda: time.time() > before + 1.1)
    ask(page, "/push-tokens nova")


def act_as(page: Page, name: str) -> None:
    page.get_by_role("radio", name=name).click()
    expect(page.get_by_role("radio", name=name)).to_have_attribute("aria-checked", "true")


def plan(page: Page) -> Locator:
    """The one plan that waits, by its place, so that it is found again when it has ended."""
    waiting = page.locator("#messages .message:has([data-action-id=approve])")
    expect(waiting).to_have_count(1, timeout=SLOWLY)
    return page.locator(f"#messages [data-ts='{waiting.get_attribute('data-ts')}']")


def approved(page: Page, ends: str) -> Locator:
    """That plan, once Tomas has approved it and it has ended so."""
    shown = plan(page)
    act_as(page, "Tomas")
    shown.get_by_role("button", name="Approve").click()
    page.get_by_role("dialog").locator(".solid").click()
    act_as(page, "Mira")
    expect(shown).to_contain_text(ends, timeout=SLOWLY)
    return shown


def press(page: Page, label: str) -> None:
    page.get_by_role("tab", name="Scenarios").click()
    page.get_by_role("button", name=label).click()


def secrets(demo: Any) -> list[str]:
    """All that gives somebody a right in this world."""
    oauth = demo.managed.oauth
    held = [
        *oauth.vault.tokens.tokens,
        *oauth.refresh.values(),
        *oauth.dead,
        *oauth.sign_ins,
        *demo.managed.ferry.tokens,
    ]
    return [*held, demo.managed.nodes.key.splitlines()[3]]


def places(demo: Any, person: Any, page: Page) -> dict[str, str]:
    """What somebody could read, or has been written down. Two files are there to give the bot a secret."""
    given = ("ferry-token", "ssh-key", "vault-token")
    data = [one for one in demo.folder.rglob("*") if one.is_file() and one.name not in given]
    files = {str(one.relative_to(demo.folder)): one.read_bytes().decode("latin-1") for one in data}
    door = {what: str(person(APPROVER).get(what)) for what in ("world", f"state?user={ASKER}", "traffic?after=0")}
    return {**files, **door, "page": page.content()}


def test_a_full_disk_is_told_and_only_that_node_is_tried_again(opened: Any, demo: Any, person: Any, until: Any) -> None:
    """From the first day to a failure, its remedy and the retry, with clicks alone; the old token stays meanwhile. No
    secret can be read on the page, in the inspector, or in any file of the bot."""
    page = opened()
    ask(page, "/refresh-uids")
    approved(page, "3 of 3 accounts")
    push(page, until)
    approved(page, "2 of 2 nodes")
    press(page, "A node's disk is full")
    push(page, until)
    failed = approved(page, "There is no room left in /tmp")
    expect(failed).to_contain_text("Make room there")
    page.get_by_role("tab", name="World").click()
    expect(page.locator(".world-path", has_text="Grid nodes")).to_contain_text("disk full")
    expect(page.locator(".world-path", has_text="Grid nodes").locator("dd").filter(has_text="changed")).to_have_count(2)
    press(page, "The grid is well again")
    failed.get_by_role("button", name=re.compile("that failed again")).click()
    expect(plan(page)).to_contain_text(f"to {FULL}")
    approved(page, "1 of 1 node")
    seen = places(demo, person, page)
    assert [name for name, text in seen.items() if any(secret in text for secret in secrets(demo))] == []


def test_somebody_signs_in_and_the_first_push_is_proposed(opened: Any, demo: Any, person: Any, until: Any) -> None:
    """The link is the asker's alone; whoever may not act is turned down, and told so by a direct message; then it works."""
    page, asker = opened(), person(ASKER)
    press(page, "A service's sign-in ran out")
    ask(page, "/onboard-tokens dune_production")
    offer = page.locator("#messages .message").get_by_role("button", name="Sign in for dune_production")
    links = page.get_by_role("link", name="Open the page to sign in")
    for whom, told in (
        ("jun, who has no role there", "may not act"),
        ("mira, production manager", "You are signed in"),
    ):
        expect(offer.last).to_be_visible(timeout=SLOWLY)
        before = links.count()
        offer.last.click()
        expect(links).to_have_count(before + 1, timeout=SLOWLY)
        other = page.context.new_page()
        other.goto(links.last.get_attribute("href") or "")
        other.get_by_role("combobox").select_option(whom)
        other.get_by_role("button", name="Yes, approve").click()
        expect(other.get_by_text(told)).to_be_visible()
        other.close()
        if told == "may not act":
            until(lambda: "turned down in the browser" in str(asker.state()["messages"]), 60)
    expect(plan(page)).to_contain_text("Bring Vault tokens of dune_production", timeout=SLOWLY)
    assert demo.managed.oauth.dead.isdisjoint(demo.managed.oauth.refresh.values())


def test_a_runbook_is_walked_through(opened: Any) -> None:
    """Each step is pressed once it is done; the message then says who did it, and at last that all is done."""
    page = opened()
    box = page.get_by_label("Message", exact=True)
    box.fill("/runbook open-cie ")
    box.press("Enter")
    message = page.locator("#messages .message:has([data-action-id=walk-done])").last
    expect(message.locator("[data-action-id=walk-done]")).to_have_count(4)
    message = page.locator(f"#messages [data-ts='{message.get_attribute('data-ts')}']")
    for left in (3, 2, 1, 0):
        message.locator("[data-action-id=walk-done]").first.click()
        expect(message.locator("[data-action-id=walk-done]")).to_have_count(left)
    expect(message).to_contain_text("All steps are done")
    message.locator("[data-action-id=walk-undone]").first.click()
    expect(message).to_contain_text("3 of 4 steps are done")
