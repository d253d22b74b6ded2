"""Offers and steps, named so that a button can name them without carrying what they do.

A button says where its offer is stored (an incident, a run, a credential) and which it is, by a short digest of all
that the offer would ask for. What is asked for is read from the store when it is pressed: parameters never come from
the button, and an offer that has changed since it was shown is not found.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator

from bot.core.diagnosis import Diagnosis, Offer
from bot.core.inventory import Holding
from bot.core.view import RunView

STEP = re.compile(r"[a-z][a-z0-9.-]{0,62}")  # how a step of a runbook may be called


def digest(offer: Offer) -> str:
    """16 hex digits over all of it. Its parameters may hold an alert's text: any of it has a digest."""
    return _hex(json.dumps(offer.model_dump(), sort_keys=True, default=str))


def handle(holding: Holding) -> str:
    """16 hex digits that tell a credential from all others."""
    return _hex(json.dumps([holding.command, holding.credential.name]))


def all_of(diagnosis: Diagnosis) -> Iterator[Offer]:
    """Those of the steps and those beside them."""
    yield from (step.offer for step in diagnosis.steps if step.offer is not None)
    yield from diagnosis.offers


def find(diagnosis: Diagnosis | None, wanted: str) -> Offer | None:
    """The offer with this digest, None when the diagnosis does not make it (any more)."""
    return next((offer for offer in all_of(diagnosis) if digest(offer) == wanted), None) if diagnosis else None


def offered(incident: str, offer: Offer) -> str:
    """The value of an offer's button."""
    return _spelled({"incident": incident, "offer": digest(offer)})


def of_step(run: str, step: str, offer: Offer | None = None) -> str:
    """The value of a button that is about a step of an answer's checklist."""
    more = {"offer": digest(offer)} if offer else {}
    return _spelled({"run": run, "step": step, **more})


def of_report(run: str, offer: Offer) -> str:
    """The value of a button about an offer in a run's report."""
    return _spelled({"run": run, "offer": digest(offer)})


def of_credential(holding: Holding, offer: Offer) -> str:
    """The value of a button about what mends a credential."""
    return _spelled({"holding": handle(holding), "offer": digest(offer)})


def in_report(view: RunView | None, wanted: str) -> Offer | None:
    """The offer with this digest in a run's report, or in its answer."""
    found = (view.report, view.answer) if view else ()
    return next((offer for one in found if one for offer in one.offers if digest(offer) == wanted), None)


def in_inventory(holdings: Iterable[Holding], credential: str, wanted: str) -> Offer | None:
    """What mends this credential, if it is still the same."""
    given = (one.credential.offer for one in holdings if handle(one) == credential)
    return next((offer for offer in given if offer and digest(offer) == wanted), None)


def about(incident: str, step: str = "") -> str:
    """The value of a button that is about an incident, or about a step of it."""
    return _spelled({"incident": incident, **({"step": step} if step else {})})


def _spelled(value: dict[str, str]) -> str:
    return json.dumps(value, separators=(",", ":"))


def _hex(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
