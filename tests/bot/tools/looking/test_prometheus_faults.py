"""What the bot says, and does not say, when Prometheus or the way to it is broken."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import Refused, Told, Transient
from bot.tools import prometheus_answers as answers
from bot.tools.foreign_text import plain, some
from bot.tools.http_answer import Answer
from bot.tools.prometheus import PrometheusServers
from playground import broken
from playground.prometheus import PrometheusStandIn, Raw
from playground.tcp_proxy import Way, proxied

Open = Callable[..., PrometheusServers]
FOREIGN = "gobbledygook"
FINE = json.dumps({"status": "success", "data": {"resultType": "vector", "result": []}}).encode()


def told_by(servers: PrometheusServers, kind: type[Told], query: str = "up") -> str:
    """The sentence of a query that fails; no foreign error may hang on it."""
    with pytest.raises(kind) as caught:
        servers.now("us-south", query)
    error = caught.value
    assert type(error) is kind
    assert error.__cause__ is None
    assert error.__context__ is None
    assert FOREIGN not in repr(error)
    assert error.what.endswith(".")
    assert error.now.endswith(".")
    assert "us-south" in error.what
    return str(error)


OWN = [
    ("bad_data", Refused, "did not understand the bot's query (400)"),
    ("not_found", Refused, "has no Prometheus query API (404)"),
    ("execution", Refused, "cannot carry it out (422)"),
    ("canceled", Transient, "does not know (499)"),
    ("internal", Transient, "failed inside (500)"),
    ("unavailable", Transient, "failed inside (500)"),
    ("timeout", Transient, "gave up on the query because it took too long (503)"),
]


@pytest.mark.parametrize(("error", "kind", "words"), OWN)
def test_each_error_of_prometheus_has_its_sentence(
    error: str, kind: type[Told], words: str, stand_in: PrometheusStandIn, open_it: Open
) -> None:
    """Prometheus's own errors are told in our words, once asked only, and health comes back."""
    stand_in.fault = error
    assert words in told_by(open_it(), kind)
    assert len(stand_in.log) == 1
    stand_in.heal()
    open_it().now("us-south", "up")


OTHERS = [
    (302, Refused, "sends the bot to another address (302)"),
    (400, Refused, "but not as Prometheus does"),
    (401, Refused, "does not accept the bot's login (401)"),
    (403, Refused, "does not let the bot query (403)"),
    (404, Refused, "has no Prometheus query API (404)"),
    (418, Transient, "does not know (418)"),
    (429, Transient, "is asked too often (429)"),
    (500, Transient, "failed inside (500)"),
    (502, Transient, "behind its proxy (502)"),
    (503, Transient, "behind its proxy (503)"),
    (504, Transient, "behind its proxy (504)"),
]


@pytest.mark.parametrize(("status", "kind", "words"), OTHERS)
def test_what_stands_in_front_has_its_sentence(
    status: int, kind: type[Told], words: str, stand_in: PrometheusStandIn, open_it: Open
) -> None:
    """Proxies and gateways answer in HTML; the status is what is told."""
    headers = (("Retry-After", "7"), ("Location", "https://login.example.com/"))
    stand_in.fault = Raw(status, b"<html>" + FOREIGN.encode(), headers=headers)
    assert words in told_by(open_it(), kind)


def test_waiting_time_is_passed_on(stand_in: PrometheusStandIn, open_it: Open) -> None:
    """429 with Retry-After: the error carries the seconds."""
    stand_in.fault = Raw(429, headers=(("Retry-After", "7"),))
    with pytest.raises(Transient) as told:
        open_it().now("us-south", "up")
    assert told.value.after == 7


GARBAGE = [b"<html>" + FOREIGN.encode(), b"[]", b"null", b"{", b"\xff\xfe", b'{"status": "success"}', b"[" * 100_000,
           b'{"status": "error", "error": "gobbledygook"}', b'{"data": {"resultType": "vector", "result": []}}']  # fmt: skip


@pytest.mark.parametrize("body", GARBAGE)
def test_garbage_is_not_believed(body: bytes, stand_in: PrometheusStandIn, open_it: Open) -> None:
    """200 with something else than Prometheus's JSON is no result, above all not an empty one."""
    stand_in.fault = Raw(body=body)
    said = told_by(open_it(), Transient)
    assert "does not speak like Prometheus" in said
    assert "login page" in said


def test_an_empty_answer_is_told_as_such(stand_in: PrometheusStandIn, open_it: Open) -> None:
    """Nothing is not "no data"."""
    stand_in.fault = Raw(body=b" \n")
    assert "gave an empty answer" in told_by(open_it(), Transient)


BREAKS = [
    ("reset", broken.reset, "broke off", 2),
    ("closed", broken.cut(b""), "broke off", 2),
    ("cut in the head", broken.cut(b"HTTP/1.1 200 O"), "broke off", 2),
    ("cut in the body", broken.cut(broken.answer(200, FINE)[:-3]), "broke off", 2),
    ("cut chunk", broken.cut(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\n{}"), "broke off", 2),
    ("not HTTP", broken.cut(b"SSH-2.0-" + FOREIGN.encode() + b"\r\n"), "broke off", 2),
    ("bad gzip", broken.cut(broken.answer(200, b"gobbledygook", "Content-Encoding: gzip")), "broke off", 2),
    ("silent", broken.silent, "did not answer within 0.4 s", 1),
    ("slow head", broken.drip(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 999, 0.1), "did not answer within 0.4 s", 1),
    ("slow body", broken.drip(broken.answer(200, b" " * 999), 0.1), "did not answer within 0.4 s", 1),
]


@pytest.mark.parametrize(("breaks", "words", "heard"), [b[1:] for b in BREAKS], ids=[b[0] for b in BREAKS])
def test_broken_connections_are_told(breaks: Any, words: str, heard: int, open_it: Open) -> None:
    """Whatever breaks on the network is Transient and says where; what fails at once is tried twice, never longer than
    the time of the settings."""
    with broken.broken(breaks) as server:
        began = time.monotonic()
        said = told_by(open_it(address=server.url, timeout=0.4 if heard == 1 else 60), Transient)
        assert time.monotonic() - began < 20
        assert words in said
        assert "Prometheus of us-south at 127.0.0.1" in said
        assert server.came(heard) == heard


def test_nobody_listens_and_no_such_name(open_it: Open) -> None:
    """A closed port and an unknown host are told apart."""
    closed = told_by(open_it(address=f"http://127.0.0.1:{broken.unused_port()}"), Transient)
    unknown = told_by(open_it(address="https://prometheus.invalid"), Transient)
    assert "does not accept connections" in closed
    assert "The host name of Prometheus of us-south at prometheus.invalid cannot be resolved" in unknown


def test_too_much_is_not_read(open_it: Open) -> None:
    """An answer that unpacks to more than the limit is given up, however small it was on the way."""
    packed = gzip.compress(b" " * 20_000_000)
    with broken.broken(broken.cut(broken.answer(200, packed, "Content-Encoding: gzip"))) as server:
        assert "more than the bot reads" in told_by(open_it(address=server.url, timeout=60), Refused)


def test_packed_answers_are_read(open_it: Open) -> None:
    """Prometheus packs what is long."""
    body = FINE + b" " * 300_000
    with broken.broken(broken.cut(broken.answer(200, gzip.compress(body), "Content-Encoding: gzip"))) as server:
        assert open_it(address=server.url).now("us-south", "up").samples == ()


@pytest.fixture
def way(served: Any, stand_in: PrometheusStandIn) -> Any:
    with proxied(served.port) as way:
        yield way


def test_through_a_way_that_breaks(way: Way, open_it: Open) -> None:
    """Slow is waited for; cut, reset and swallowed are told; and when the way is whole again the answer is too."""
    address = f"http://127.0.0.1:{way.port}"
    servers, hasty = open_it(address=address), open_it(address=address, timeout=0.4)
    way.latency = 0.1
    servers.now("us-south", "up")
    way.heal()
    way.cut = 150
    assert "broke off" in told_by(servers, Transient)
    way.heal()
    way.reset = True
    assert "broke off" in told_by(servers, Transient)
    way.heal()
    way.blackhole = True
    assert "did not answer within 0.4 s" in told_by(hasty, Transient)
    way.heal()
    way.latency = 60
    assert "did not answer within 0.4 s" in told_by(hasty, Transient)
    way.heal()
    servers.now("us-south", "up")


@pytest.mark.parametrize("fault", ["reset", "cut"])
def test_a_blip_is_not_told(fault: str, way: Way, open_it: Open) -> None:
    """One broken connection is passed over in silence; the second try has the answer."""
    way.failing = 1
    way.reset, way.cut = fault == "reset", 10 if fault == "cut" else None
    open_it(address=f"http://127.0.0.1:{way.port}").now("us-south", "up")
    assert way.connections == 2


def test_redirects_stay_at_home(served: Any, stand_in: PrometheusStandIn, open_it: Open) -> None:
    """Within the same origin a redirect is followed; to another host or port the login does not go."""
    home = Raw(307, headers=(("Location", f"{served.url}/api/v1/query?again=1"),))
    stand_in.fault = home
    assert "round in circles" in told_by(open_it(), Transient)
    with broken.broken(broken.silent) as trap:
        for elsewhere in (f"{trap.url}/api/v1/query", f"//localhost:{trap.port}/x", "https://127.0.0.1/", "http://[x"):
            stand_in.fault = Raw(307, headers=(("Location", elsewhere),))
            assert "another address" in told_by(open_it(headers={"X-Scope-OrgID": "armada"}), Refused)
        assert trap.heard == 0


def test_certificates_are_checked_against_the_settings(
    served: Any, stand_in: PrometheusStandIn, open_it: Open, tls: Any, make_certificate: Any, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The CA of the settings is trusted, no other is, whatever the environment says; plain HTTP on a TLS port and the
    reverse are told."""
    good, key = make_certificate("good")
    other, _ = make_certificate("other")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(good))
    monkeypatch.setenv("SSL_CERT_FILE", str(good))
    with tls(stand_in.app(), good, key) as address:
        for ca_file in (other, None):
            assert "certificate that the bot does not trust" in told_by(
                open_it(address=address, ca_file=ca_file), Refused
            )
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other))
        open_it(address=address, ca_file=good).now("us-south", "up")
        assert "CA file" in told_by(open_it(address=address, ca_file=tmp_path / "none"), Refused)
        (tmp_path / "empty").touch()
        assert "No TLS connection" in told_by(open_it(address=address, ca_file=tmp_path / "empty"), Refused)
        told_by(open_it(address=address.replace("https", "http")), Transient)
    assert "No TLS connection" in told_by(open_it(address=served.url.replace("http", "https")), Refused)


def test_proxies_of_the_environment_are_not_used(open_it: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would see the login."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{broken.unused_port()}")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{broken.unused_port()}")
    open_it().now("us-south", "up")


JSONISH = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from([FOREIGN, "vector", "matrix", "scalar", "1"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["status", "data", "resultType", "result", "metric", "value", "values", "warnings", "errorType"]
            ),
            inner,
        )
    ),
    max_leaves=12,
)


@given(st.integers(200, 999), JSONISH, st.sampled_from([answers.vector, answers.matrix]))
def test_any_answer_has_a_value_or_a_sentence_of_ours(status: int, document: Any, read: Any) -> None:
    """For every status and body there is a value, or one of our errors with two sentences and nothing of the body."""
    answer = Answer("answered", status, json.dumps(document).encode())
    try:
        read(answer, "Prometheus of us-south at 127.0.0.1")
    except (Refused, Transient) as error:
        assert FOREIGN not in str(error)
    assert FOREIGN not in repr(answer)


@given(st.text(max_size=300), st.integers(1, 50))
def test_plain_text_is_one_short_line(text: str, longest: int) -> None:
    """Whatever came, what is shown is one line within the limit, without signs that hide or turn around."""
    line = plain(text, longest)
    assert len(line) <= longest
    assert line == " ".join(line.split())
    assert line.isprintable() or not set(line) & set("\n\r\t\x00\u202e\u2066\u200b\u2028")
    assert plain(line, longest) == line


def test_some_of_many() -> None:
    """Each once, in order, and how many are left out."""
    assert some(["b", "a", "b", "", "c", "d"], 2) == ("b", "a", "and 2 more")
    assert some(["b", "a"], 2) == ("b", "a")
