"""OCM away, broken or hostile: nothing but our answers and errors, no foreign word, and one that hangs delays no
other."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.responses import RedirectResponse, Response

from bot.core.errors import Refused
from bot.core.ocm import Offered
from bot.core.secret import Secret
from bot.tools import ocm_told
from bot.tools.http_answer import Answer
from playground import broken, ocm_answers
from playground.ocm_faults import Fault
from tests.certificates import certificate

FOREIGN = "gobbledygook"
CLUSTER = "23f799a1-8002-46e3-be1a-374fd76bc1a2"
TRANSFERS = "/api/accounts_mgmt/v1/cluster_transfers/"


def away(found: Offered, told: str) -> None:
    """It is as if the cluster were disconnected: no fault of the cluster's, and no document."""
    window = found.window
    assert (window.reason, window.healthy, window.degraded, window.status) == ("Disconnected", True, False, None)
    assert found.document is None
    assert told in window.told


@pytest.mark.parametrize("said", [
    b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", b"gobbledygook\r\n\r\n", None,
])  # fmt: skip
def test_a_broken_connection_is_a_disconnected_cluster(said: bytes | None, place: Any) -> None:
    """Also in the middle of an answer: half a list is none, and an empty rest does not mean that nothing is offered."""
    with broken.broken(broken.reset if said is None else broken.cut(said)) as server:
        found = place.ask(address=server.url)
        away(found, "broke off")
        assert server.heard == 2  # a blip gets one more try
    assert FOREIGN not in found.window.told


def test_silence_and_closed_doors_are_told_apart(place: Any) -> None:
    """Nothing answers, or nobody listens: either way not the cluster's fault."""
    with broken.broken(broken.silent) as server:
        away(place.ask(address=server.url, timeout=0.1), "did not answer within 0.1 s")
    away(place.ask(address=f"http://127.0.0.1:{broken.unused_port()}"), "does not accept connections")


def test_a_name_that_nobody_knows(place: Any) -> None:
    """It may be a typing error in the settings as well as a cluster's network."""
    away(place.ask(address="https://ocm.invalid"), "The host name of OCM at ocm.invalid cannot be resolved.")


@contextmanager
def over_tls(crt: Path, key: Path, said: bytes) -> Iterator[str]:
    """A server that says this to whoever trusts it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, key)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                plain, _ = listener.accept()
                with suppress(OSError), context.wrap_socket(plain, server_side=True) as connection:
                    connection.recv(65536)
                    connection.sendall(said)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{listener.getsockname()[1]}"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


def test_only_a_trusted_certificate_gets_the_token(place: Any, tmp_path: Path) -> None:
    """One that nobody vouches for is told as such, and with the right CA file it is asked."""
    crt, key = certificate(tmp_path, "ocm")
    with over_tls(crt, key, broken.answer(204)) as url:
        away(place.ask(address=url), "a certificate that the bot does not trust")
        assert place.ask(address=url, ca_file=str(crt)).window.reason == "NoClusterTransfer"
    away(place.ask(address=place.url.replace("http:", "https:")), "No TLS connection")


def test_a_missing_ca_file_is_for_the_settings_to_mend(place: Any, tmp_path: Path) -> None:
    """Not taken for a cluster without a network: that would be quiet for ever."""
    with pytest.raises(Refused, match=r"The CA file for OCM at 127\.0\.0\.1 is not there") as told:
        place.ask(ca_file=str(tmp_path / "none.pem"))
    assert "ocm" in told.value.now


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_token_does_not_go_with_a_redirect(status: int, place: Any) -> None:
    """Not even to the same host; that OCM has moved is for people to enter."""
    asked: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asked.append(scope["path"])
        await RedirectResponse(f"{place.url}/elsewhere?{FOREIGN}", status)(scope, receive, send)

    place.served.app = app
    window = place.ask().window
    assert asked == [TRANSFERS]
    assert (window.healthy, window.degraded, window.status) == (False, False, status)
    assert "sends the bot elsewhere" in window.told
    assert FOREIGN not in window.told


def test_a_blip_is_tried_once_more_and_no_refusal_is(place: Any) -> None:
    """A proxy's 502 before OCM is back passes unseen; OCM's own errors are told at once, as the backoff is not here."""
    place.open_window()
    place.ocm.faults.add(Fault(times=1, answer=ocm_answers.page(502)))
    assert place.ask().document is not None
    place.ocm.faults.add(Fault(times=1, answer=ocm_answers.error(503)))
    assert place.ask().window.reason == "ServiceUnavailable"
    assert len(place.ocm.log) == 3


def test_an_answer_cut_by_the_stand_in(place: Any) -> None:
    """Its scenario does what it says: the document does not come through by half."""
    place.open_window()
    place.ocm.faults.add(Fault(cut=200))
    away(place.ask(), "broke off")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(FOREIGN),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
ITEMS = st.fixed_dictionaries(
    {}, optional={
        "id": JSON | st.just("2Abc"), "status": JSON | st.just("accepted"), "owner": JSON, "recipient": JSON,
        "cluster_uuid": JSON | st.just(CLUSTER), "expiration_date": JSON | st.datetimes().map(lambda at: f"{at.isoformat()}Z"),
        "secret": JSON | st.dictionaries(st.text(), JSON).map(lambda auths: json.dumps({"auths": auths})),
    },
)  # fmt: skip
BODIES = (
    st.binary()
    | JSON.map(lambda it: json.dumps(it).encode())
    | st.fixed_dictionaries(
        {"items": st.lists(ITEMS | JSON, max_size=2) | JSON}, optional={"total": st.integers(0, 2) | JSON}
    ).map(lambda it: json.dumps(it).encode())
)


@settings(max_examples=150)
@given(status=st.sampled_from([200, 204, 302, 400, 401, 403, 404, 429, 500, 503]) | st.integers(100, 999), body=BODIES)
def test_no_body_gets_through(status: int, body: bytes) -> None:
    """Whatever is answered, a window comes of it, in our words; what is evidence (who, which transfer) is short and in
    one line, and a document comes only with a success."""
    answer = Answer("answered", status=status, body=body, moved=300 <= status < 400)
    found = ocm_told.offered(answer, CLUSTER, "OCM at ocm.example.com", 15)
    window, transfer = found.window, found.window.transfer
    assert FOREIGN not in window.told + window.reason
    assert window.told.startswith("OCM at ocm.example.com ")
    assert window.reason.isascii()
    assert window.degraded == (status >= 500)
    assert found.document is None or (200 <= status < 300 and window.reason == ocm_told.OURS)
    for name in (transfer.id, transfer.owner, transfer.recipient) if transfer else ():
        assert len(name) <= 100
        assert name == "" or name.isprintable()


@settings(max_examples=10)
@given(body=BODIES)
def test_no_body_gets_through_over_http(place_of_all: Any, body: bytes) -> None:
    """The same through the whole tool."""
    place_of_all.served.app = Response(body, media_type="application/json")
    assert FOREIGN not in place_of_all.ask().window.told


@pytest.fixture(scope="module")
def place_of_all(served: Any) -> Any:
    """One for all examples; nothing in it is secret."""
    from types import SimpleNamespace

    from bot.identity import Ocm
    from bot.tools.ocm import TransferApi

    tool = TransferApi(Ocm(address=served.url))
    return SimpleNamespace(served=served, ask=lambda: tool.offered(CLUSTER, Secret("YTpi")))


class Crowd:
    """An application that answers nobody until `least` wait at the same time. `most`: so many ever did."""

    def __init__(self, least: int) -> None:
        self.least, self.now, self.most, self.served = least, 0, 0, 0
        self.enough = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        if self.now >= self.least:
            self.enough.set()
        await asyncio.wait_for(self.enough.wait(), 60)
        await asyncio.sleep(0.002)  # so that one more than may be would be seen
        self.now, self.served = self.now - 1, self.served + 1
        await Response(status_code=204)(scope, receive, send)


def test_a_hundred_clusters_at_once_and_a_dead_address(place: Any) -> None:
    """Sixteen at a time and never more; those whose endpoint is dead, more than sixteen of them, wait for it alone: all
    others have their answer while these still wait."""
    crowd = Crowd(16)
    place.served.app = crowd
    with ThreadPoolExecutor(100) as pool:
        with broken.broken(broken.silent) as dead:
            tool = place.tool(timeout=60, allowed_hosts=[f"127.0.0.1:{dead.port}"])

            def ask(endpoint: str) -> Future[Offered]:
                return pool.submit(tool.offered, str(uuid.uuid4()), Secret(place.auth), endpoint=endpoint)

            lost = [ask(f"{dead.url}{TRANSFERS}") for _ in range(20)]
            found = [ask("") for _ in range(80)]
            assert {each.result(60).window.reason for each in found} == {"NoClusterTransfer"}
            assert (crowd.most, crowd.served) == (16, 80)
            assert dead.came(16) == 16
            assert not any(each.done() for each in lost)
        assert {each.result(60).window.reason for each in lost} == {"Disconnected"}
