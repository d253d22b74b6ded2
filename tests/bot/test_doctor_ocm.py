"""`hivekeeper check` about OCM."""

from __future__ import annotations

import pytest

from bot import doctor_ocm
from bot.app import Parts
from bot.core.errors import Refused
from bot.settings import parse
from playground import broken
from playground.ocm import OcmStandIn
from playground.server import run_in_thread


def test_ocm_is_looked_at_where_it_is_named() -> None:
    """By default nobody is asked; an API that answers is good, without any token; one that is away says what to do."""
    assert list(doctor_ocm.ocm(Parts(parse({}, "s.yaml")))) == []
    ocm = OcmStandIn()
    server = run_in_thread(ocm.app())
    (good,) = doctor_ocm.ocm(Parts(parse({"ocm": {"address": server.url}}, "s.yaml")))
    server.stop()
    assert (good.subject, good.good) == ("ocm", True)
    assert [(asked.path, asked.login.strip()) for asked in ocm.log] == [("/api/accounts_mgmt/v1", NOBODY)]
    closed = f"http://127.0.0.1:{broken.unused_port()}"
    (bad,) = doctor_ocm.ocm(Parts(parse({"ocm": {"address": closed}}, "s.yaml")))
    assert (bad.good, bad.told) == (False, "OCM at 127.0.0.1 does not accept connections.")
    assert "ocm.address" in bad.now


NOBODY = "e3b0c442"  # the mark of no login


@pytest.mark.parametrize("changed", [
    {"address": "http://api.openshift.com"}, {"allowed_hosts": ["https://ocm.example.com"]}, {"connections": 0},
    {"allowed_hosts": ["ocm.example.com/path"]}, {"allowed_hosts": ["ocm.example.com:70000"]},
    {"allowed_hosts": ["ocm.example.com@evil.example.com"]}, {"allowed_hosts": ["OCM.example.com"]},
])  # fmt: skip
def test_what_the_settings_do_not_take(changed: dict[str, object]) -> None:
    """Where a token would go in clear, and what is no host, are told by place."""
    with pytest.raises(Refused, match=r"ocm\." + next(iter(changed))):
        parse({"ocm": changed}, "s.yaml")


def test_the_tool_is_there_by_default() -> None:
    """OCM is the same for everybody, so nothing has to be set; more hosts may be."""
    settings = parse({"ocm": {"allowed_hosts": ["ocm.example.com", "ocm.example.com:8443"]}}, "s.yaml")
    assert settings.ocm.address == "https://api.openshift.com"
    assert callable(Parts(settings).read_tools.ocm.offered)
