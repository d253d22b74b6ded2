"""Faults to order for the stand-in for OCM: which requests they hit, how often, and what happens to those."""

from __future__ import annotations

from dataclasses import dataclass

from playground.ocm_answers import Answer


@dataclass(frozen=True)
class Fault:
    """Hits the requests made as this cluster (empty: all), `times` times (0: always).

    `answer` replaces OCM's own, `delay` holds it back (seconds), `cut` closes the connection after so many bytes of the
    body.
    """

    cluster: str = ""
    times: int = 0
    answer: Answer | None = None
    delay: float = 0
    cut: int | None = None
