"""Tokens tried at a realm: what is sent, what the answer means, and that nobody tries the same one again and again."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from starlette.responses import Response

from bot.core.errors import Refused, Transient
from bot.core.secret import Secret
from bot.core.sso import WORDS, verdict

ANSWERS = [
    (400, "invalid_grant", "Offline user session not found", "session_not_found"),
    (400, "invalid_grant", "Offline session not active", "session_not_active"),
    (400, "invalid_grant", "Session not active", "ordinary_session"),
    (400, "invalid_grant", "Token is not active", "token_not_active"),
    (400, "invalid_grant", "Refresh token expired", "token_not_active"),
    (400, "invalid_grant", "Invalid refresh token", "invalid_token"),
    (400, "invalid_grant", "Invalid refresh token. Token client and authorized client don't match", "wrong_client"),
    (400, "invalid_grant", "Stale token", "stale_token"),
    (400, "invalid_grant", "Stale refresh token", "stale_token"),
    (400, "invalid_grant", "Maximum allowed refresh token reuse exceeded", "stale_token"),
    (400, "invalid_grant", "Session doesn't have required client", "client_session_ended"),
    (400, "invalid_grant", "Client session not active", "client_session_ended"),
    (400, "invalid_grant", "Refresh token issued before the user session started", "stale_token"),
    (400, "invalid_grant", "Unmatching clients", "wrong_client"),
    (400, "invalid_grant", "User disabled", "owner_disabled"),
    (400, "invalid_grant", "something new", "refused"),
    (400, "invalid_request", "No refresh token", "no_token"),
    (401, "unauthorized_client", "Invalid client or Invalid client credentials", "client_refused"),
    (401, "invalid_client", "Invalid client or Invalid client credentials", "client_refused"),
    (400, "invalid_client", "Missing client_id parameter", "client_refused"),
]


@pytest.mark.parametrize(("status", "error", "description", "means"), ANSWERS)
def test_each_answer_has_its_verdict(scene: Any, status: int, error: str, description: str, means: str) -> None:
    """By error and words of the description, whatever stands around them; none of it is repeated."""
    scene.realm.refusal = (status, error, f"gobbledygook {description.upper()}  gobbledygook")
    found = scene.open().refresh("redhat", scene.token())
    assert (found.judged.verdict, found.judged.good) == (means, False)
    assert (found.access, found.instead) == (None, None)
    assert "Red Hat SSO (realm redhat)" in found.judged.told
    assert "gobbledygook" not in found.judged.told


def test_every_verdict_is_reached() -> None:
    """The table has no row that an earlier one hides."""
    assert {one.verdict for one in WORDS} == {verdict(error, description) for _, error, description, _ in ANSWERS}


def test_what_is_sent_for_a_token(scene: Any) -> None:
    """Three fields and no login: as OCM's own client asks, without a scope; as another client where one is named."""
    token = scene.token()
    tool = scene.open()
    tool.refresh("redhat", token)
    tool.refresh("redhat", token, client="rhsm-api")
    sent = [(form["grant_type"], form["client_id"], list(form)) for form in scene.realm.forms]
    fields = ["grant_type", "client_id", "refresh_token"]
    assert sent == [("refresh_token", "cloud-services", fields), ("refresh_token", "rhsm-api", fields)]
    assert scene.realm.logins == ["", ""]


def test_a_good_token(scene: Any) -> None:
    """It is said to be endless, and comes with an access token and its life; the same refresh token is no other."""
    found = scene.open().refresh("redhat", scene.token())
    assert (found.judged.good, found.judged.offline, found.judged.access_seconds) == (True, True, 900.0)
    assert scene.realm.whose(found.access.reveal())["preferred_username"] == "ocm-ci"
    assert found.instead is None
    assert "canary" not in repr(found)


def test_a_refresh_token_that_is_not_offline(scene: Any) -> None:
    """It is good for now, but not offline."""
    judged = scene.open().refresh("redhat", Secret(scene.realm.ordinary_token("ocm-ci"))).judged
    assert (judged.good, judged.offline) == (True, False)


@pytest.mark.parametrize("gives", ["none", "new"])
def test_a_new_refresh_token_is_handed_on(scene: Any, gives: str, canary: Any) -> None:
    """Where the answer has another one; where it has none, the old one stays."""
    scene.realm.sessions.gives = gives
    found = scene.open().refresh("redhat", scene.token())
    assert found.judged.good
    assert (found.instead is not None) == (gives == "new")
    if found.instead is not None:
        canary.add("new token", found.instead.reveal())
        assert scene.open().refresh("redhat", found.instead).judged.good


def test_a_successor_whose_answer_was_lost_is_told(scene: Any, served: Any) -> None:
    """The realm spent the token and gave its successor to nobody: it is not somebody else who has it. Of another token,
    and of one that the realm answered, nothing like that is said."""
    scene.realm.rotate()
    token, other, tool = scene.token(), scene.token("another"), scene.open()
    whole = served.app

    async def loses(scope: Any, receive: Any, send: Any) -> None:
        async def nowhere(_: Any) -> None:
            """Nothing of the answer comes through."""

        await whole(scope, receive, nowhere)
        await Response(status_code=502)(scope, receive, send)

    served.app = loses
    with pytest.raises(Transient):
        tool.refresh("redhat", token)
    served.app = whole
    assert "whose answer was lost" in tool.refresh("redhat", token).judged.told
    spent = scene.open().refresh("redhat", other).instead
    assert spent is not None
    judged = tool.refresh("redhat", other).judged
    assert judged.verdict == "stale_token"
    assert "lost" not in judged.told


def test_rotation_is_survived(scene: Any) -> None:
    """The old token is worth nothing then; who asks once more is given the new one again, without asking the realm."""
    scene.realm.rotate()
    tool, token = scene.open(), scene.token()
    first, again = tool.refresh("redhat", token), tool.refresh("redhat", token)
    assert again.instead is not None
    assert again.instead is first.instead
    assert scene.open().refresh("redhat", token).judged.verdict == "stale_token"
    assert scene.open().refresh("redhat", again.instead).judged.good


def test_a_successor_that_could_not_be_kept_yet_is_not_lost(scene: Any, canary: Any) -> None:
    """Asked once more after the time between two probes, the spent token is not sent: its successor is, and the newest
    is given. After an hour it is forgotten."""
    scene.realm.rotate()
    tool, token = scene.open(least_seconds_between_probes=60), scene.token()
    first = tool.refresh("redhat", token).instead
    scene.ticks = 61.0
    found = tool.refresh("redhat", token)
    assert found.judged.good
    sent = [form["refresh_token"] for form in scene.realm.forms]
    for number, one in enumerate((*sent, first.reveal(), found.instead.reveal())):
        canary.add(f"sent {number}", one)
    assert sent == [token.reveal(), first.reveal()]
    assert found.instead.reveal() not in sent
    scene.ticks += 3601.0
    assert tool.refresh("redhat", token).judged.verdict == "stale_token"


def test_the_successor_is_given_again_where_the_realm_gives_none(scene: Any) -> None:
    """It is what has to be kept, until the realm says that the session is over."""
    scene.realm.sessions.gives = "new"
    tool, token = scene.open(least_seconds_between_probes=0), scene.token()
    first = tool.refresh("redhat", token).instead
    scene.realm.sessions.gives = "none"
    assert tool.refresh("redhat", token).instead is first
    scene.realm.end_session("ocm-ci")
    assert tool.refresh("redhat", token).judged.verdict == "session_not_found"


def test_a_token_is_not_tried_again_at_once(scene: Any) -> None:
    """Not before the settings let it; each token and each client has its own time."""
    tool, token = scene.open(least_seconds_between_probes=60), scene.token()
    tool.refresh("redhat", token)
    scene.realm.end_session("ocm-ci")
    scene.ticks = 59.0
    assert tool.refresh("redhat", token).judged.good
    assert len(scene.realm.forms) == 1
    tool.refresh("redhat", token, client="other")
    tool.refresh("redhat", scene.token())
    assert len(scene.realm.forms) == 3
    scene.ticks = 60.0
    assert tool.refresh("redhat", token).judged.verdict == "session_not_found"
    scene.ticks = 9_999.0
    assert tool.refresh("redhat", token).judged.verdict == "session_not_found"
    assert len(scene.realm.forms) == 5


def test_an_access_token_that_has_ended_is_not_given_again(scene: Any) -> None:
    """The verdict is."""
    scene.realm.access_seconds = 30.0
    tool, token = scene.open(), scene.token()
    assert tool.refresh("redhat", token).access is not None
    scene.ticks = 31.0
    again = tool.refresh("redhat", token)
    assert (again.judged.good, again.access) == (True, None)


def test_many_who_ask_at_once_ask_once(scene: Any) -> None:
    """Ten threads with one token are one request."""
    tool, token, found = scene.open(), scene.token(), []
    scene.realm.delay = 0.05
    threads = [threading.Thread(target=lambda: found.append(tool.refresh("redhat", token))) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [one.judged.good for one in found] == [True] * 10
    assert len(scene.realm.forms) == 1


def test_trouble_is_not_remembered(scene: Any) -> None:
    """What was no verdict is asked for again at once."""
    tool, token = scene.open(), scene.token()
    scene.realm.state = 503
    with pytest.raises(Transient):
        tool.refresh("redhat", token)
    scene.realm.state = "up"
    assert tool.refresh("redhat", token).judged.good


def test_realms_by_name(scene: Any) -> None:
    """What the settings say of each; one that is not there is refused with the setting to make."""
    tool = scene.open(client_id="ours")
    assert (tool.realms(), tool.issuer("redhat"), tool.client("redhat")) == (("redhat",), scene.realm.issuer, "ours")
    for ask in (tool.issuer, tool.client, lambda name: tool.refresh(name, scene.token())):
        with pytest.raises(Refused, match=r"Add sso\.other"):
            ask("other")
