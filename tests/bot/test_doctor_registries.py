"""`hivekeeper check` about the registries of the settings."""

from __future__ import annotations

from bot import doctor
from bot.app import Parts
from bot.settings import parse
from playground import broken
from playground.registry import RegistryStandIn
from playground.server import run_in_thread


def test_registries_are_reached() -> None:
    """One that asks for a login answers; one that is not there, or is none, says how and what to do."""
    registry = RegistryStandIn("quay.io", lambda *_: None, kind="ecr")
    server = run_in_thread(registry.app())
    closed = f"http://127.0.0.1:{broken.unused_port()}"
    document = {"registries": {"quay.io": {"address": server.url}, "closed.example.com": {"address": closed}}}
    parts = Parts(parse(document, "settings.yaml"))
    good, bad = doctor.registries(parts)
    assert (good.subject, good.good, good.told) == ("registry quay.io", True, "it answers.")
    assert (bad.good, bad.now) == (False, "Check registries.closed.example.com and the network of the bot.")
    assert "does not accept connections" in bad.told
    registry.state = "html"
    assert next(doctor.registries(parts)).told == "What answers at quay.io does not speak like a registry (200)."
    server.stop()
