"""Which pods of a rollout do not start, and why, as far as the pods themselves say. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from bot.core.kubernetes import Json

NAMED = 2  # pods in one sentence
REASON = re.compile(r"[A-Za-z][A-Za-z0-9]{0,60}", re.ASCII)  # as the API spells reasons; anything else is not repeated
STARTING = ("ContainerCreating", "PodInitializing")


def waiting(pods: Iterable[Json]) -> str:
    """One sentence about the pods that wait for something else than their turn; empty if there are none."""
    found = [said for pod in pods if (said := _said(pod))]
    if not found:
        return ""
    more = f", and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return f"It waits for {', '.join(found[:NAMED])}{more}."


def _said(pod: Json) -> str:
    status, name = _mapping(pod.get("status")), str(_mapping(pod.get("metadata")).get("name", ""))
    for container, reason in _reasons(status):
        if reason not in STARTING:
            return f"{name} (container {container}: {reason})"
    for one in _list(status.get("conditions")):
        if one.get("type") == "PodScheduled" and one.get("status") == "False":
            return f"{name} (no node takes it)"
    return ""


def _reasons(status: Json) -> Iterator[tuple[str, str]]:
    """Container and reason of each that waits, init containers first."""
    for key in ("initContainerStatuses", "containerStatuses"):
        for one in _list(status.get(key)):
            reason = _mapping(_mapping(one.get("state")).get("waiting")).get("reason")
            if isinstance(reason, str) and REASON.fullmatch(reason):
                yield str(one.get("name", "")), reason


def _mapping(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Json]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
