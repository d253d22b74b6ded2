"""What the bot relies on in GitHub. Asked of the stand-in; and of the real one (or a GitHub Enterprise) when
HIVEKEEPER_LIVE_GITHUB_REPOSITORY (owner/name, made for this) and HIVEKEEPER_LIVE_GITHUB_TOKEN are set, with
HIVEKEEPER_LIVE_GITHUB for the address of its API. Issues that it opens there are closed again."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from playground.github import GitHubStandIn
from playground.server import run_in_thread

REPOSITORY = os.environ.get("HIVEKEEPER_LIVE_GITHUB_REPOSITORY", "")
TOKEN = os.environ.get("HIVEKEEPER_LIVE_GITHUB_TOKEN", "")
ADDRESS = os.environ.get("HIVEKEEPER_LIVE_GITHUB", "https://api.github.com")


class Hub:
    """One repository, asked over HTTP. `marker` stands in the bodies of this test's own issues."""

    def __init__(self, address: str, repository: str, token: str) -> None:
        self._address, self._repository, self._token = address, repository, token
        self.marker = f"<!-- hivekeeper-contract-{secrets.token_hex(8)} -->"
        self.opened: list[int] = []

    def ask(self, method: str, below: str = "/issues", *, token: str = "", repository: str = "", **content: Any) -> httpx.Response:  # fmt: skip
        headers = {
            "Authorization": f"Bearer {token or self._token}", "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }  # fmt: skip
        url = f"{self._address}/repos/{repository or self._repository}{below}"
        return httpx.request(method, url, headers=headers, timeout=60, **content)

    def open(self, title: str = "A test of hivekeeper") -> httpx.Response:
        answer = self.ask("POST", json={"title": title, "body": f"A body\n\n{self.marker}", "labels": []})
        if answer.status_code == 201:
            self.opened.append(answer.json()["number"])
        return answer

    def listed(self, **params: str | int) -> list[dict[str, Any]]:
        asked = {"state": "open", "sort": "created", "direction": "desc", "per_page": 100, "page": 1} | params
        return list(self.ask("GET", params=asked).json())

    def mine(self, count: int) -> list[dict[str, Any]]:
        """The open issues with the marker, as soon as there are so many."""
        deadline = time.monotonic() + 60
        while True:
            found = [issue for issue in self.listed() if self.marker in (issue["body"] or "")]
            if len(found) == count or time.monotonic() > deadline:
                return found
            time.sleep(0.2)


@pytest.fixture(params=["stand-in", *(["live"] if REPOSITORY else [])])
def hub(request: pytest.FixtureRequest) -> Iterator[Hub]:
    if request.param == "live":
        made = Hub(ADDRESS, REPOSITORY, TOKEN)
        yield made
        for number in made.opened:
            made.ask("PATCH", f"/issues/{number}", json={"state": "closed"})
        return
    token = secrets.token_hex(8)
    server = run_in_thread(GitHubStandIn("example/contract", token).app())
    yield Hub(server.url, "example/contract", token)
    server.stop()


def test_an_issue_is_opened(hub: Hub) -> None:
    """201, with its number, where people see it, and the body to the letter: a comment in it is kept."""
    answer = hub.open()
    assert answer.status_code == 201
    issue = answer.json()
    assert issue["html_url"].endswith(f"/issues/{issue['number']}")
    assert issue["body"].endswith(hub.marker)


def test_it_is_found_by_listing(hub: Hub) -> None:
    """Newest first, with whole bodies: what the search index would know only later."""
    first, second = (hub.open(title).json()["number"] for title in ("one", "two"))
    assert [issue["number"] for issue in hub.mine(2)] == [second, first]


def test_pages_are_as_long_as_asked_for(hub: Hub) -> None:
    """So that a short page is the last one."""
    hub.open("one"), hub.open("two")
    assert len(hub.mine(2)) == 2
    one, two = hub.listed(per_page=1), hub.listed(per_page=1, page=2)
    assert (len(one), len(two)) == (1, 1)
    assert one[0]["number"] > two[0]["number"]
    assert hub.listed(page=900) == []


def test_a_wrong_token_is_refused(hub: Hub) -> None:
    """401 for reading and writing alike."""
    for method in ("GET", "POST"):
        assert hub.ask(method, token="wrong", json={"title": "x"} if method == "POST" else None).status_code == 401


def test_a_repository_that_is_not_there(hub: Hub) -> None:
    """404, the same as for one that the token may not see."""
    assert hub.ask("GET", repository=f"example/{secrets.token_hex(8)}").status_code == 404


def test_an_issue_without_a_title_is_refused(hub: Hub) -> None:
    """422: the fault is ours."""
    assert hub.ask("POST", json={"body": "x"}).status_code == 422


def test_the_repository_says_whether_issues_can_be_opened(hub: Hub) -> None:
    """What the bot's check reads."""
    answer = hub.ask("GET", "")
    assert answer.status_code == 200
    about = answer.json()
    assert about["has_issues"] is True
    assert about["archived"] is False
    assert about["permissions"]["pull"] is True
