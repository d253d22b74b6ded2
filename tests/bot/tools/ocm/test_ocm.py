"""OCM asked about transfers: the question to the letter, each row of the operator's table, and whom a token goes to."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response

from bot.core.errors import Refused
from bot.core.secret import Secret
from bot.tools import ocm_told
from playground.ocm_answers import Answer, error, garbage, page
from playground.ocm_faults import Fault

ITEM = {"id": "2Abc", "status": "accepted", "secret": '{"auths": {"quay.io": {"auth": "YTpi"}}}'}


def listed(*items: Any, **more: Any) -> Answer:
    return Answer(200, {"kind": "ClusterTransferList", "page": 1, "total": len(items), "items": list(items), **more})


def test_the_question_is_the_operator_s_to_the_letter(place: Any) -> None:
    """`is` and not `=`, a slash before the question mark, quotes and spaces spelled as Go spells them, and the login of
    a cluster: a service that is strict about any of it would answer something else."""
    heard: list[Request] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        heard.append(Request(scope))
        await Response(status_code=204)(scope, receive, send)

    place.served.app = app
    assert place.ask().window.reason == "NoClusterTransfer"
    (request,) = heard
    assert (request.method, request.url.path) == ("GET", "/api/accounts_mgmt/v1/cluster_transfers/")
    assert request.url.query == (
        f"search=cluster_uuid+is+%27{place.cluster}%27+and+status+is+%27accepted%27"
    )  # fmt: skip
    assert request.headers["Authorization"] == f"AccessToken {place.cluster}:{place.auth}"
    assert request.headers["Content-Type"] == "application/json"


def test_an_accepted_transfer_comes_with_its_document(place: Any) -> None:
    """Exactly as OCM holds it, with who hands over to whom, and until when."""
    made = place.open_window()
    found = place.ask()
    assert found.document is not None
    assert found.document.reveal() == place.document
    window, transfer = found.window, found.window.transfer
    assert (window.reason, window.healthy, window.degraded, window.status) == (
        "AcceptedClusterTransfer",
        True,
        False,
        200,
    )
    assert (transfer.id, transfer.owner, transfer.recipient) == (made, "joe", "jack")
    assert transfer.expires_at == 1_776_417_581.5
    assert transfer.updated_at is not None
    assert window.told == "OCM at 127.0.0.1 has an accepted transfer of the cluster, with a new pull secret."


@pytest.mark.parametrize(("none", "reason", "status"), [
    ("204", "NoClusterTransfer", 204), ("blank", "NoClusterTransfer", 200), ("list", "UnexpectedData", 200),
])  # fmt: skip
def test_no_transfer_is_healthy_however_it_is_said(none: Any, reason: str, status: int, place: Any) -> None:
    """A closed window is the normal state; an empty list is unexpected, but no fault."""
    place.ocm.none = none
    found = place.ask()
    assert (found.window.reason, found.window.healthy, found.window.status) == (reason, True, status)
    assert found.document is None
    assert "no accepted transfer of the cluster" in found.window.told


def test_several_transfers_give_no_document(place: Any) -> None:
    """Which one is meant is not for the bot to say."""
    place.open_window(), place.open_window()
    found = place.ask()
    assert (found.window.reason, found.window.healthy) == ("MoreAcceptedClusterTransfers", True)
    assert found.document is None
    assert "more than one accepted transfer" in found.window.told


@pytest.mark.parametrize(("answer", "reason", "healthy", "told"), [
    (page(), "UnexpectedData", False, "something that is no list"),
    (garbage(), "UnexpectedData", False, "something that is no list"),
    (garbage(b" "), "UnexpectedData", False, "something that is no list"),
    (garbage(b"[" * 100_000), "UnexpectedData", False, "something that is no list"),
    (garbage(b'"\xff"'), "UnexpectedData", False, "something that is no list"),
    (Answer(200, [ITEM]), "UnexpectedData", False, "something that is no list"),
    (listed(total="1"), "UnexpectedData", False, "cannot be read"),
    (listed(total=True), "UnexpectedData", False, "cannot be read"),
    (listed(items={}), "UnexpectedData", False, "cannot be read"),
    (listed("gobbledygook"), "UnexpectedData", False, "a transfer that cannot be read"),
    (listed(total=1), "UnexpectedData", True, "an empty list"),
    (Answer(200, {}), "UnexpectedData", True, "an empty list"),
    (listed(ITEM, ITEM, total=1), "UnexpectedData", True, "shows 2"),
    (listed({**ITEM, "status": "pending"}), "UnexpectedData", False, "is not accepted"),
    (listed({**ITEM, "status": None}), "UnexpectedData", False, "is not accepted"),
    (listed({**ITEM, "id": ""}), "UnexpectedData", False, "has no id"),
    (listed({**ITEM, "cluster_uuid": "00000000-0000-0000-0000-000000000000"}), "UnexpectedData", False, "of another cluster"),
    (listed({**ITEM, "secret": None}), "DataCorrupted", False, "without a pull secret"),
    (listed({**ITEM, "secret": ""}), "DataCorrupted", False, "without a pull secret"),
    (listed({**ITEM, "secret": {"auths": {}}}), "DataCorrupted", False, "without a pull secret"),
    (listed({**ITEM, "secret": "gobbledygook"}), "DataCorrupted", False, "is not valid JSON"),
    (listed({**ITEM, "secret": "{}"}), "DataCorrupted", False, "it has no entries"),
    (listed({**ITEM, "secret": '{"auths": []}'}), "DataCorrupted", False, "is not an object"),
    (listed({**ITEM, "secret": '{"auths": {"\ud800": 1}}'}), "DataCorrupted", False, "is not UTF-8"),
    (listed({**ITEM, "secret": " " * 1_048_577}), "DataCorrupted", False, "longer than a Secret"),
    (Answer(200, raw=b" " * 4_194_305), "UnexpectedData", False, "more than the bot reads"),
    (listed({**ITEM, "status": "Accepted"}), "AcceptedClusterTransfer", True, "a new pull secret"),
    (listed(ITEM, total=None), "AcceptedClusterTransfer", True, "a new pull secret"),
])  # fmt: skip
def test_each_answer_is_judged(answer: Answer, reason: str, healthy: bool, told: str, place: Any) -> None:
    """By the operator's words, in a sentence of ours; a document only where it can be used."""
    place.ocm.faults.add(Fault(answer=answer))
    found = place.ask()
    assert (found.window.reason, found.window.healthy, found.window.degraded) == (reason, healthy, False)
    assert told in found.window.told
    assert found.window.told.startswith("OCM at 127.0.0.1 ")
    assert found.window.told.endswith(".")
    assert "gobbledygook" not in repr(found)
    assert (found.document is None) == (reason != "AcceptedClusterTransfer")


def test_a_damaged_document_still_says_whose_transfer_it_is(place: Any) -> None:
    """So that the right people can be asked for a new one."""
    place.open_window()
    place.ocm.corrupt(place.cluster)
    found = place.ask()
    assert (found.window.reason, found.document) == ("DataCorrupted", None)
    assert found.window.transfer is not None
    assert found.window.transfer.owner == "joe"


STATUSES = [
    (400, "BadRequest", "does not understand"), (401, "Unauthorized", "does not accept the cluster's token"),
    (403, "Forbidden", "is not the one that the token is for"), (404, "NotFound", "has no such API"),
    (409, "Conflict", "refused the question"), (413, "RequestEntityTooLarge", "refused the question"),
    (418, "I'mateapot", "refused the question"), (422, "UnprocessableEntity", "refused the question"),
    (429, "TooManyRequests", "is asked too often"), (500, "InternalServerError", "trouble of its own"),
    (501, "NotImplemented", "trouble of its own"), (502, "BadGateway", "trouble of its own"),
    (503, "ServiceUnavailable", "trouble of its own"), (504, "GatewayTimeout", "trouble of its own"),
    (599, "Status599", "trouble of its own"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "reason", "told"), STATUSES)
def test_each_status_has_the_operator_s_word(status: int, reason: str, told: str, place: Any) -> None:
    """Not healthy; degraded only when OCM itself fails. Its own reason is not passed on."""
    place.ocm.faults.add(Fault(answer=error(status, f"gobbledygook {place.auth}")))
    window = place.ask().window
    assert (window.reason, window.healthy, window.degraded, window.status) == (reason, False, status >= 500, status)
    assert told in window.told
    assert f"({status})" in window.told
    assert "gobbledygook" not in window.told


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_proxy_s_refusal_is_not_taken_for_ocm_s(status: int, place: Any) -> None:
    """The word is the operator's, but nobody is sent to mend a token that OCM has not seen."""
    place.ocm.faults.add(Fault(answer=page(status)))
    window = place.ask().window
    assert (
        window.told == f"OCM at 127.0.0.1 answered {status}, but not as OCM does: something else stands in front of it."
    )


def test_a_token_that_is_not_good_and_one_of_another_cluster(place: Any) -> None:
    """The stand-in's own judgement: 401 for what nobody has, 403 for somebody else's."""
    place.ocm.revoke(place.auth)
    assert place.ask().window.reason == "Unauthorized"
    place.ocm.accept("6b7d6ba4-0000-4000-8000-2f8d6dbb2b8a", place.auth)
    assert place.ask().window.reason == "Forbidden"


def test_after_the_transfer_the_new_token_is_good(place: Any) -> None:
    """What the new pull secret holds is accepted at the next question, and the old one no longer."""
    place.open_window()
    place.ocm.close(place.cluster, auth=place.auth)
    assert place.ask().window.reason == "Unauthorized"
    assert place.tool().offered(place.cluster, Secret(place.new)).window.reason == "NoClusterTransfer"


@pytest.mark.parametrize("cluster", ["", "x", "23f799a1-8002-46e3-be1a-374fd76bc1a2'", "23f799a1-8002-46e3-be1a-374fd76bc1a2\n",
                                     "23f799a180024 6e3be1a374fd76bc1a2", "٢3f799a1-8002-46e3-be1a-374fd76bc1a2"])  # fmt: skip
def test_an_id_that_is_none_is_refused(cluster: str, place: Any) -> None:
    """It goes into a search, so nothing else may."""
    with pytest.raises(Refused, match="no UUID"):
        place.tool().offered(cluster, Secret(place.auth))
    assert not place.ocm.log


@pytest.mark.parametrize("auth", ["", "{}\n", "{} ", "a\r\nX-Other: {}", "{}\x00", "{}ü", "{}\x7f", "a" * 40_000])
def test_a_token_that_no_header_can_carry_is_refused(auth: str, place: Any) -> None:
    """Without a word of it, and before anything is sent."""
    with pytest.raises(Refused, match="no token that could be sent") as told:
        place.tool().offered(place.cluster, Secret(auth.replace("{}", place.auth)))
    assert place.auth not in repr(told.value) + str(told.value.__context__)
    assert not place.ocm.log


@pytest.mark.parametrize("slash", ["", "/"])
def test_an_endpoint_of_the_cluster_is_asked_as_it_stands(slash: str, place: Any) -> None:
    """With and without the slash at its end, when its host is allowed."""
    place.open_window()
    endpoint = f"{place.url}/api/accounts_mgmt/v1/cluster_transfers{slash}"
    assert place.tool().offered(place.cluster, Secret(place.auth), endpoint=endpoint).document is not None
    assert [asked.path for asked in place.ocm.log] == [endpoint.removeprefix(place.url)]


def test_only_hosts_of_the_settings_get_a_token(place: Any) -> None:
    """A cluster's own settings are not enough; the sentence says which setting would be."""
    port = place.url.rpartition(":")[2]
    there = "https://ocm.example.com/api/accounts_mgmt/v1/cluster_transfers"
    for endpoint in (there, f"http://localhost:{port}/", "http://127.0.0.1:1/", "https://127.0.0.1/"):
        with pytest.raises(Refused, match="another OCM") as told:
            place.tool().offered(place.cluster, Secret(place.auth), endpoint=endpoint)
        assert "ocm.allowed_hosts" in told.value.now
    allowed = place.tool(address="https://api.example.com", allowed_hosts=[f"127.0.0.1:{port}"])
    endpoint = f"{place.url}/api/accounts_mgmt/v1/cluster_transfers/"
    assert allowed.offered(place.cluster, Secret(place.auth), endpoint=endpoint).window.reason == "NoClusterTransfer"


@pytest.mark.parametrize("endpoint", [
    "gobbledygook", "ftp://{}/", "http://user:gobbledygook@{}/", "http://{}/?x=1", "http://{}/?", "http://{}/#x",
    "http://{}/ ", "http://{}/\n", "http://{}\\@127.0.0.1/", "http://api.openshift.com/", "http://[", "https:///x",
    "http://{}/" + "x" * 2000, " ",
])  # fmt: skip
def test_an_endpoint_that_cannot_be_one_is_refused(endpoint: str, place: Any) -> None:
    """It comes from the cluster's Secret, so it is not repeated."""
    with pytest.raises(Refused, match="cannot be one") as told:
        place.tool().offered(place.cluster, Secret(place.auth), endpoint=endpoint.replace("{}", place.url[7:]))
    assert "gobbledygook" not in str(told.value)
    assert told.value.__suppress_context__ or told.value.__context__ is None
    assert not place.ocm.log


@pytest.mark.parametrize(("text", "seconds"), [
    ("2026-04-17T09:19:41.008687Z", 1_776_417_581.008687), ("2026-04-17T09:19:41Z", 1_776_417_581.0),
    ("2026-04-17T09:19:41.123456789Z", 1_776_417_581.123456), ("2026-04-17T11:19:41.5+02:00", 1_776_417_581.5),
    ("2026-04-17t09:19:41z", 1_776_417_581.0), ("0001-01-01T00:00:00Z", None), ("2026-04-17", None),
    ("2026-04-17T09:19:41", None), ("2026-02-30T00:00:00Z", None), ("2026-04-17T09:19:60Z", None),
    ("2026-04-17T09:19:41+99:00", None), ("", None), (None, None), (1_776_417_581, None), ({}, None),
])  # fmt: skip
def test_times_are_read_as_they_are_written_there(text: Any, seconds: float | None) -> None:
    """With any fraction; what is no time is none, and neither is Go's year one."""
    assert ocm_told.moment(text) == (None if seconds is None else pytest.approx(seconds, abs=1e-6))


@given(st.datetimes(min_value=datetime(1970, 1, 2), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis wants it so
def test_any_time_is_read_back(moment: datetime) -> None:
    """As Go writes it."""
    assert ocm_told.moment(moment.isoformat().replace("+00:00", "Z")) == moment.timestamp()


def test_names_are_made_fit_to_be_shown(place: Any) -> None:
    """Who hands over to whom is evidence: one line, cut, nothing unseen in it."""
    item = {**ITEM, "owner": "joe\n\u202eevil" + "x" * 200, "recipient": ["jack"]}
    place.ocm.faults.add(Fault(answer=Answer(200, raw=json.dumps({"total": 1, "items": [item]}).encode())))
    transfer = place.ask().window.transfer
    assert transfer.owner.startswith("joe evil")
    assert len(transfer.owner) == 100
    assert transfer.recipient == ""
