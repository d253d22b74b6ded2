"""Issues: opened once for a marker, found again, and every refusal a sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bot.calling import GitHub
from bot.core.errors import Refused, Told, Transient
from bot.tools.github import Issues
from playground import broken
from playground.broken import unused_port
from playground.github import GitHubStandIn
from playground.tcp_proxy import proxied

REPOSITORY, MARKER = "example/incidents", "hivekeeper/redhat-auth/cie/i-abc/us-south"


@pytest.fixture
def github(served: Any, kept: dict[str, str], canary: Any) -> GitHubStandIn:
    kept["TOKEN"] = canary("token")
    made = GitHubStandIn(REPOSITORY, kept["TOKEN"])
    served.app = made.app()
    return made


@pytest.fixture
def issues(served: Any, github: GitHubStandIn, resolve: Any) -> Callable[..., Issues]:
    def made(**changed: Any) -> Issues:
        document = {"repository": REPOSITORY, "token": {"env": "TOKEN"}, "address": served.url, "timeout": 60}
        return Issues(GitHub.model_validate(document | changed), resolve)

    return made


def open_one(tool: Issues, marker: str = MARKER) -> None:
    tool.open("It burns", "body", labels=("cie",), marker=marker)


def test_an_issue_is_opened_once(issues: Callable[..., Issues], github: GitHubStandIn) -> None:
    """Title, body, labels and a marker nobody sees; a second process opens no second one, and finds its address."""
    open_one(issues())
    open_one(issues(address=issues()._repository._settings.address + "/api/v3"))
    (issue,) = github.issues
    assert issue["title"] == "It burns"
    assert issue["body"] == f"body\n\n<!-- {MARKER} -->"
    assert issue["labels"] == [{"name": "cie"}]
    assert issues().reader.find(MARKER) == issue["html_url"]
    assert issues().find(MARKER + "-2") is None


def test_a_closed_issue_does_not_count(issues: Callable[..., Issues], github: GitHubStandIn) -> None:
    """Once somebody has closed it, the next incident gets its own."""
    open_one(issues())
    github.close(1)
    assert issues().find(MARKER) is None
    open_one(issues())
    assert len(github.issues) == 2


def test_it_is_found_among_many(issues: Callable[..., Issues], github: GitHubStandIn) -> None:
    """An issue that others have followed by hundreds is still found, without labels."""
    github.pushes = False
    open_one(issues())
    github.fill(250)
    assert issues().find(MARKER) == github.issues[0]["html_url"]


def test_the_reader_cannot_open(issues: Callable[..., Issues]) -> None:
    """What planning gets has no way to open anything."""
    assert not hasattr(issues().reader, "open")


def test_a_lost_answer_is_found_out(issues: Callable[..., Issues], github: GitHubStandIn) -> None:
    """The issue was opened but the answer was lost: Transient; trying again opens no second one. It is not tried again
    at once: GitHub may be about to open it."""
    github.cut = True
    with pytest.raises(Transient) as told:
        open_one(issues())
    assert (told.value.after, told.value.unheard) == (10.0, True)
    github.cut = False
    open_one(issues())
    assert len(github.issues) == 1


def test_a_list_that_is_behind(
    issues: Callable[..., Issues], github: GitHubStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GitHub took the issue, and its list does not have it at once: it is waited for, so that who looks next finds it
    and opens no second one; but not for ever."""
    monkeypatch.setattr("bot.tools.github.LISTED", (0.0, 0.0, 0.0))
    tool = issues()
    github.lag = 2
    open_one(tool)
    assert (tool.find(MARKER), len(github.issues)) == (github.issues[0]["html_url"], 1)


def test_who_was_not_heard_asks_again_later(issues: Callable[..., Issues], served: Any) -> None:
    """An issue may be opened after we gave up waiting; where nobody listens none will be, nor by listing them."""
    empty, silent = broken.answer(200, b"[]", "Content-Type: application/json"), iter([False, True])

    def breaks(connection: Any, stopped: Any) -> None:
        broken.silent(connection, stopped) if next(silent) else connection.sendall(empty)

    with broken.broken(breaks) as server, pytest.raises(Transient, match="did not answer within") as told:
        open_one(issues(address=server.url, timeout=0.3))
    assert (told.value.after, told.value.unheard) == (10.0, True)
    with pytest.raises(Transient) as told:
        open_one(issues(address=f"http://127.0.0.1:{unused_port()}"))
    assert (told.value.after, told.value.unheard) == (None, False)


@pytest.mark.parametrize(
    ("state", "kind", "words"),
    [
        (400, Refused, "400"),
        (401, Refused, "github.token"),
        (403, Refused, "right"),
        (404, Refused, "github.repository"),
        (410, Refused, "switched off"),
        (422, Refused, "422"),
        (301, Refused, "elsewhere"),
        (429, Transient, "429"),
        (500, Transient, "500"),
        (503, Transient, "503"),
        (200, Transient, "200"),
        ("no issues", Refused, "switched off"),
        ("limited", Transient, "too often"),
    ],
)
def test_each_refusal_is_a_sentence(
    state: str | int, kind: type[Told], words: str, issues: Callable[..., Issues], github: GitHubStandIn, clean: Any
) -> None:
    """What a retry may mend is Transient, the rest Refused; no word of the server's travels."""
    github.state = state
    for call in (lambda: open_one(issues()), lambda: issues().find(MARKER)):
        with pytest.raises(kind, match=words) as told:
            call()
        clean(told.value)


def test_a_token_that_may_only_read(issues: Callable[..., Issues], github: GitHubStandIn, clean: Any) -> None:
    """Looking works, opening names the missing right."""
    github.state = "read only"
    assert issues().find(MARKER) is None
    with pytest.raises(Refused, match="write issues") as told:
        open_one(issues())
    clean(told.value)


def test_a_limit_with_a_time_is_waited_for(issues: Callable[..., Issues], github: GitHubStandIn) -> None:
    """403 with Retry-After is a limit, not a refusal."""
    github.state, github.retry_after = "limited", 11
    with pytest.raises(Transient) as told:
        open_one(issues())
    assert told.value.after == 11


def test_a_wrong_token_is_refused(issues: Callable[..., Issues], github: GitHubStandIn, kept: Any, clean: Any) -> None:
    """The setting is named, the token is not."""
    kept["TOKEN"] = "not the one"
    with pytest.raises(Refused, match=r"github\.token") as told:
        issues().find(MARKER)
    clean(told.value)


def test_an_address_that_is_none_is_not_passed_on(issues: Callable[..., Issues], github: GitHubStandIn) -> None:
    """What the server says is the issue's address is shown only if it is one."""
    open_one(issues())
    for told in (
        "javascript:alert(1)",
        "https://x.example.com/<!channel>\n",
        None,
        7,
        "https://x.example.com/" + "a" * 999,
    ):
        github.issues[0]["html_url"] = told
        assert issues().find(MARKER) == "an issue in the repository"


def test_broken_ways(issues: Callable[..., Issues], served: Any, clean: Any) -> None:
    """Reset, cut off, swallowed or not there at all: Transient each time, with a sentence."""
    with proxied(served.port) as way:
        for fault, value in (("reset", True), ("cut", 20), ("blackhole", True)):
            way.heal()
            setattr(way, fault, value)
            tool = issues(address=f"http://127.0.0.1:{way.port}", timeout=0.5 if way.blackhole else 60)
            with pytest.raises(Transient) as told:
                open_one(tool)
            clean(told.value)
    with pytest.raises(Transient, match="does not accept connections"):
        open_one(issues(address=f"http://127.0.0.1:{unused_port()}"))
