"""The whole demo, started once, and a browser to look at it."""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from playground.child import Begin
from playground.serve import Demo
from playground.slack import Times
from tests.system.zygote import zygote
from tests.waiting import until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NO_NETWORK = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"


class Person:
    """Somebody at the playground's door, without a browser."""

    def __init__(self, demo: Demo, user: str) -> None:
        self.demo = demo
        self.user = user

    def get(self, what: str) -> Any:
        with urllib.request.urlopen(f"{self.demo.url}/playground/{what}", timeout=60) as answer:
            return json.load(answer)

    def post(self, what: str, **body: Any) -> Any:
        data = json.dumps({"user": self.user, **body}).encode()
        request = urllib.request.Request(
            f"{self.demo.url}/playground/{what}", data, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def state(self) -> Any:
        return self.get(f"state?user={self.user}")

    def messages(self, channel: str) -> list[Any]:
        return list(self.state()["messages"][channel])


@pytest.fixture(scope="module")
def begin() -> Begin:
    """How the demo's bot is started."""
    return zygote().begin


@pytest.fixture(scope="module")
def demo(begin: Begin) -> Iterator[Demo]:
    with Demo("127.0.0.1", 0, 1, begin=begin) as running:
        running.workspace.times = Times(ack=20, trigger=20)  # a busy machine is no slow bot
        until(lambda: Person(running, "U0MIRA").state()["bot"]["connected"])
        yield running


@pytest.fixture(name="until")
def until_fixture() -> Callable[..., Any]:
    return until


@pytest.fixture
def person(demo: Demo) -> Callable[[str], Person]:
    return lambda user: Person(demo, user)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright:
        program = shutil.which("chromium")
        assert program, "these tests need Debian's chromium"
        flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", NO_NETWORK]
        running = playwright.chromium.launch(executable_path=program, args=flags)
        yield running
        running.close()


@pytest.fixture
def opened(demo: Demo, browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens the page in a fresh browser profile; what the browser complains about fails the test."""
    complaints: list[str] = []
    contexts = []

    def open_page(**options: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(demo.url)
        page.wait_for_selector("#bot-state.on")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
