"""Offers and steps of a stored diagnosis, named so that a button can name them without carrying what they do.

A button says which incident and which offer, by a short digest of all that the offer would ask for. What is asked for
is read from the store when it is pressed: parameters never come from the button, and an offer that has changed since
it was shown is not found.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator

from bot.core.diagnosis import Diagnosis, Offer

STEP = re.compile(r"[a-z][a-z0-9.-]{0,62}")  # how a step of a runbook may be called


def digest(offer: Offer) -> str:
    """16 hex digits over all of it. Its parameters may hold an alert's text: any of it has a digest."""
    spelled = json.dumps(offer.model_dump(), sort_keys=True, default=str)
    return hashlib.sha256(spelled.encode()).hexdigest()[:16]


def all_of(diagnosis: Diagnosis) -> Iterator[Offer]:
    """Those of the steps and those beside them."""
    yield from (step.offer for step in diagnosis.steps if step.offer is not None)
    yield from diagnosis.offers


def find(diagnosis: Diagnosis | None, wanted: str) -> Offer | None:
    """The offer with this digest, None when the diagnosis does not make it (any more)."""
    return next((offer for offer in all_of(diagnosis) if digest(offer) == wanted), None) if diagnosis else None


def offered(incident: str, offer: Offer) -> str:
    """The value of an offer's button."""
    return json.dumps({"incident": incident, "offer": digest(offer)}, separators=(",", ":"))


def of_step(run: str, step: str, offer: Offer | None = None) -> str:
    """The value of a button that is about a step of an answer's checklist."""
    more = {"offer": digest(offer)} if offer else {}
    return json.dumps({"run": run, "step": step, **more}, separators=(",", ":"))


def about(incident: str, step: str = "") -> str:
    """The value of a button that is about an incident, or about a step of it."""
    return json.dumps({"incident": incident, **({"step": step} if step else {})}, separators=(",", ":"))
