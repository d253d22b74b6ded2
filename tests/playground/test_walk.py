"""A runbook walked through on the page, in a real browser with the real bot behind it."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.slow


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
