"""OCM as it is remembered: how long what it said is good, and what is never kept."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from bot.core.secret import Secret
from bot.tools.fingerprints import KeyedFingerprints
from bot.tools.ocm_remembered import RememberedOcm
from playground.ocm_answers import error
from playground.ocm_faults import Fault

HOUR = 3600.0


class Clock:
    at = 0.0

    def __call__(self) -> float:
        return self.at


def remembered(place: Any) -> tuple[RememberedOcm, Clock]:
    clock = Clock()
    return RememberedOcm(place.tool(), KeyedFingerprints(Secret(secrets.token_hex(16))), clock), clock


def test_what_was_said_is_good_for_a_while(place: Any) -> None:
    """For as long as the asker says; one who wants to know now is told now, and that counts for the others."""
    ocm, clock = remembered(place)
    auth = Secret(place.auth)
    for at, within, asked in ((0, 0, 1), (1, HOUR, 1), (2, 0, 2), (HOUR, HOUR, 2), (HOUR + 3, HOUR, 3)):
        clock.at = at
        assert ocm.offered(place.cluster, auth, within=within).window.reason == "NoClusterTransfer"
        assert len(place.ocm.log) == asked


def test_a_document_is_not_kept(place: Any, canary: Any) -> None:
    """While a window is open each question is asked, and the memory holds no answer of it."""
    ocm, _ = remembered(place)
    ocm.offered(place.cluster, Secret(place.auth), within=HOUR)
    place.open_window()
    assert ocm.offered(place.cluster, Secret(place.auth)).document is not None
    assert not ocm._known
    assert ocm.offered(place.cluster, Secret(place.auth), within=HOUR).document is not None
    assert len(place.ocm.log) == 3


@pytest.mark.parametrize(
    "fault", [Fault(answer=error(503)), Fault(answer=error(429)), Fault(cut=0)], ids=["busy", "often", "cut"]
)
def test_a_transfer_is_not_forgotten_while_ocm_does_not_say(place: Any, fault: Fault) -> None:
    """Its time runs on: the trouble comes with the transfer, also when it is only remembered; a window that was closed
    by OCM's own word is forgotten."""
    ocm, _ = remembered(place)
    ask = lambda within=0.0: ocm.offered(place.cluster, Secret(place.auth), within=within)  # noqa: E731
    place.open_window()
    shown = ask().window.transfer
    place.ocm.faults.add(fault)
    for within in (0, HOUR):
        failed = ask(within)
        assert failed.document is None
        assert failed.window.transfer == shown
    place.ocm.faults.clear()
    place.ocm.close(place.cluster)
    assert ask().window.transfer is None
    place.ocm.faults.add(fault)
    assert ask().window.transfer is None


def test_another_token_or_address_is_another_question(place: Any) -> None:
    """What is known of one says nothing of the other."""
    ocm, _ = remembered(place)
    ocm.offered(place.cluster, Secret(place.auth), within=HOUR)
    assert ocm.offered(place.cluster, Secret(place.new), within=HOUR).window.reason == "Unauthorized"
    ocm.offered(
        place.cluster, Secret(place.auth), endpoint=f"{place.url}/api/accounts_mgmt/v1/cluster_transfers", within=HOUR
    )
    assert len(place.ocm.log) == 3


def test_it_forgets(place: Any) -> None:
    """What nobody asked about for a week."""
    ocm, clock = remembered(place)
    ocm.offered(place.cluster, Secret(place.auth))
    clock.at = 8 * 86400
    ocm.offered(place.cluster, Secret(place.new))
    assert len(ocm._known) == 1


def test_failures_wait_longer_and_longer(place: Any) -> None:
    """A 24th of the time, doubled with each failure in a row, at most all of it; an answer ends that."""
    ocm, clock = remembered(place)
    place.ocm.faults.add(Fault(answer=error(502)))
    waits, last = [], 0.0
    for minute in range(0, 3000, 15):
        clock.at = minute * 60
        before = len(place.ocm.log)
        ocm.offered(place.cluster, Secret(place.auth), within=12 * HOUR)
        if len(place.ocm.log) > before:
            waits.append((clock.at - last) / 60)
            last = clock.at
    assert waits == [0, 30, 60, 120, 240, 480, 720, 720]
    place.ocm.faults.clear()
    clock.at += 12 * HOUR
    assert ocm.offered(place.cluster, Secret(place.auth), within=12 * HOUR).window.healthy
    assert next(iter(ocm._known.values())).failures == 0


def test_of_support_two_keys_are_read(place: Any, canary: Any) -> None:
    """The endpoint and the interval; what they cannot be is told of by the key's name, and nothing else is opened."""
    ocm, _ = remembered(place)
    word = canary("password")
    both = {"clusterTransferEndpoint": Secret("https://ocm.example.com:8443/api/x\n"), "clusterTransferInterval": Secret("1h30m"),
            "password": Secret(word)}  # fmt: skip
    wish = ocm.wished(both)
    assert (wish.endpoint, wish.interval, wish.unclear) == ("https://ocm.example.com:8443/api/x", 5400, ())
    for bad in (f"https://u:{word}@ocm.example.com", f"https://ocm.example.com/?{word}", word, "https://" + "x" * 3000):
        found = ocm.wished({"clusterTransferEndpoint": Secret(bad), "clusterTransferInterval": Secret(bad)})
        assert (found.endpoint, found.interval, len(found.unclear)) == ("", None, 2)
        assert word not in str(found)
    assert ocm.wished({}).unclear == ()
