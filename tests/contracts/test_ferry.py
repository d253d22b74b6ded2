"""What the bot relies on in FERRY. Asked of the stand-in; and of the real one when HIVEKEEPER_LIVE_FERRY (its address),
HIVEKEEPER_LIVE_FERRY_CERT and HIVEKEEPER_LIVE_FERRY_KEY (PEM files of a client that may ask) and
HIVEKEEPER_LIVE_FERRY_ACCOUNT (an active account) are set, with HIVEKEEPER_LIVE_FERRY_CA for its CA file. Only looked at."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from playground.ferry import FerryStandIn, serve, tls
from tests.certificates import certificate

LIVE = {name: os.environ.get(f"HIVEKEEPER_LIVE_FERRY{name}", "") for name in ("", "_CERT", "_KEY", "_ACCOUNT", "_CA")}


@dataclass(frozen=True)
class Place:
    url: str
    cert: tuple[str, str]
    ca: str
    account: str

    def ask(self, *, cert: bool = True, **query: str) -> requests.Response:
        shown: Any = self.cert if cert else None
        with requests.Session() as session:
            session.trust_env = False
            return session.get(f"{self.url}/getUserInfo", params=query, cert=shown, verify=self.ca or True, timeout=60)


@pytest.fixture(scope="module", params=["stand-in", *(["live"] if LIVE[""] and LIVE["_CERT"] else [])])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    if request.param == "live":
        yield Place(LIVE[""].rstrip("/"), (LIVE["_CERT"], LIVE["_KEY"]), LIVE["_CA"], LIVE["_ACCOUNT"])
        return
    folder: Path = tmp_path_factory.mktemp("ferry")
    server, client = certificate(folder, "server"), certificate(folder, "client")
    with serve(FerryStandIn({"dunepro": 50381}, clients={"client"}), tls(*server, client[0])) as served:
        yield Place(served.url, (str(client[0]), str(client[1])), str(server[0]), "dunepro")


def test_an_account(place: Place) -> None:
    """Success holds a whole UID and a plain state."""
    answer = place.ask(username=place.account)
    assert answer.status_code == 200
    envelope = answer.json()
    assert envelope["ferry_status"] == "success"
    assert isinstance(envelope["ferry_output"]["uid"], int)
    assert envelope["ferry_output"]["status"] is True


def test_names_are_lower_cased(place: Place) -> None:
    """So the bot may ask in small letters."""
    assert place.ask(username=place.account.upper()).json()["ferry_status"] == "success"


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({"username": "hivekeeper-nobody"}, "username not found"),
        ({}, "required parameter username not provided"),
        ({"username": "x", "colour": "blue"}, "colour is not a valid parameter for this api"),
    ],
)
def test_business_errors_come_with_200(place: Place, query: dict[str, str], error: str) -> None:
    """Only the envelope tells them from an answer."""
    answer = place.ask(**query)
    assert answer.status_code == 200
    assert answer.json()["ferry_status"] == "failure"
    assert any(error in told for told in answer.json()["ferry_error"])


def test_without_a_certificate(place: Place) -> None:
    """Turned down: by 401 with the words for it, or in the handshake."""
    try:
        answer = place.ask(cert=False, username=place.account)
    except requests.exceptions.ConnectionError:
        return
    assert answer.status_code == 401
    assert "client not authorized" in answer.text
