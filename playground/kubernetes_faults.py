"""Faults to order for the stand-in for Kubernetes: which requests they hit, how often, and what happens to those."""

from __future__ import annotations

from dataclasses import dataclass, replace

from playground.kubernetes_answers import Answer, status
from playground.kubernetes_rules import Access


@dataclass(frozen=True)
class Fault:
    """Hits requests of this verb, resource, namespace and name (empty: any; paths have only a verb), `times` times
    (0: always).

    `answer` replaces the cluster's own, `delay` holds it back (seconds), `cut` closes the connection after so many
    bytes of the body (what was asked has been done then).
    """

    verb: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""
    times: int = 0
    answer: Answer | None = None
    delay: float = 0
    cut: int | None = None

    def fits(self, access: Access) -> bool:
        return (
            self.verb in ("", access.verb)
            and self.resource in ("", access.resource)
            and self.namespace in ("", access.namespace)
            and self.name in ("", access.name)
        )


def unavailable() -> Answer:
    return status(503, "ServiceUnavailable", "the server is currently unable to handle the request", {})


def busy(seconds: int) -> Answer:
    """429, as API Priority and Fairness answers."""
    text = "Too many requests, please try again later."
    answer = status(429, "TooManyRequests", text, {"retryAfterSeconds": seconds})
    return replace(answer, headers={"Retry-After": str(seconds)})


def broken() -> Answer:
    return status(500, "InternalError", "Internal error occurred: etcdserver: request timed out", {})
