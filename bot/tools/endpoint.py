"""Is an endpoint reachable, and if not, which way? Seen as an API: only JSON that the API itself would say counts.

A 401 or 403 is as good as a 200 if its JSON has a `kind`, as the services behind api.openshift.com write
(upstream.md, "Health endpoints"); a login page or a proxy's error has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from bot.core.errors import Refused
from bot.core.outside import Health
from bot.looking import Endpoint
from bot.tools.address import host
from bot.tools.http_answer import LOADING, Answer, How, twice

State = Literal["ok", "asks_for_login", "server_error", "not_json", "timeout", "dns", "tls", "refused", "cut"]
UNHEARD: dict[How, State] = {
    "timeout": "timeout", "dns": "dns", "certificate": "tls", "tls": "tls", "ca_file": "tls", "refused": "refused",
    "cut": "cut", "circles": "not_json", "too_long": "not_json", "unsendable": "not_json",
}  # fmt: skip
LONGEST_BODY = 1_000_000  # bytes


class CheckedEndpoints:
    """`bot.core.outside.Endpoints`. Thread-safe."""

    def __init__(self, endpoints: Mapping[str, Endpoint]) -> None:
        self._endpoints = dict(endpoints)

    def check(self, name: str) -> Health:
        """Ask now. Refused only for a name that the settings do not have."""
        endpoint = self._endpoints.get(name)
        if endpoint is None:
            raise Refused("There is no such endpoint in the settings.", f"Add endpoints.{name} with its address.")
        with LOADING:
            from bot.tools import http_session

        def look(seconds: float) -> Answer:
            session = http_session.Session(seconds=seconds, ca_file=endpoint.ca_file, limit=LONGEST_BODY)
            accept = {"Accept": "application/json"}
            return http_session.look(session, lambda it: it.get(endpoint.address, headers=accept))

        answer = twice(endpoint.timeout, look)
        state = _state(answer)
        told = _told(answer, state, f"{name} at {host(endpoint.address)}", endpoint.timeout)
        return Health(
            name=name,
            address=endpoint.address,
            reachable=state in ("ok", "asks_for_login"),
            how=state,
            status=answer.status or None,
            latency=answer.latency,
            told=told[0].upper() + told[1:],
        )


def _state(answer: Answer) -> State:
    if answer.how != "answered":
        return UNHEARD[answer.how]
    if 200 <= answer.status < 300 and answer.object is not None:
        return "ok"
    if answer.status in (401, 403) and isinstance((answer.object or {}).get("kind"), str):
        return "asks_for_login"
    wrong = answer.status >= 500 or (answer.status >= 400 and answer.object is not None)
    return "server_error" if wrong and answer.status not in (401, 403) else "not_json"


def _told(answer: Answer, state: State, where: str, seconds: float) -> str:
    if answer.how != "answered":
        return answer.silence(where, seconds)
    status, took = answer.status, f"{(answer.latency or 0) * 1000:.0f} ms"
    said: dict[State, str] = {
        "ok": f"answered {status} in {took}.",
        "asks_for_login": f"is up: it asked for a login ({status}) in {took}, as it should without one.",
        "server_error": f"answered with an error ({status}).",
    }
    return f"{where} {said.get(state) or _not_json(answer)}"


def _not_json(answer: Answer) -> str:
    if answer.moved:
        return f"sends to another address ({answer.status}) instead of answering."
    if not answer.body.strip():
        return f"gave an empty answer ({answer.status})."
    return f"answered {answer.status}, but not with what the API says: something else stands in front of it."
