"""`hivekeeper check` about Jenkins: what is well, what is not, and nothing where there is none."""

from __future__ import annotations

from typing import Any

import pytest

from bot.app import Parts
from bot.doctor_jenkins import jenkins
from bot.settings import parse
from playground.jenkins import JenkinsStandIn
from playground.server import run_in_thread


def test_looked_at_without_starting_anything(canary: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A good login, then one that is refused, named by its setting."""
    monkeypatch.setenv("CI_TOKEN", token := canary("token"))
    ci = JenkinsStandIn("hivekeeper", token)
    server = run_in_thread(ci.app())
    document = {"jenkins": {"address": server.url, "user": "hivekeeper", "token": {"env": "CI_TOKEN"}}}
    parts = Parts(parse(document, "settings of the test"))
    (found,) = jenkins(parts)
    assert found.good
    ci.state = 401
    (found,) = jenkins(parts)
    server.stop()
    assert found.good is False
    assert "jenkins.token" in found.now
    assert {method for method, _ in ci.log} == {"GET"}


def test_none() -> None:
    """Without one in the settings nothing is said of it."""
    assert list(jenkins(Parts(parse({}, "settings of the test")))) == []
