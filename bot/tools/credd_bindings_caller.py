"""HTCondor's Python bindings, called in a process of their own (`credd_bindings`), which gets its task by its input."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bot.core.errors import Refused, Transient
from bot.core.grid import Service
from bot.core.secret import Secret
from bot.managed import Credd
from bot.tools import credd_told
from bot.tools.credd_environment import of
from bot.tools.program import environment, run

CHILD = [sys.executable, "-P", "-m", "bot.tools.credd_bindings"]
MISSING = (
    "The Python bindings of HTCondor are not installed.",
    "Install the package htcondor, or set credd.way: storer.",
)


def check(_: Credd) -> None:
    if find_spec("htcondor2") is None:
        raise Refused(*MISSING)


def schedds(settings: Credd, collector: str, constraint: str) -> list[str]:
    """The names that this collector lists. `credd.timeout` is for the whole."""
    task = {"do": "list", "collector": collector, "constraint": constraint}
    told = _asked(Secret(json.dumps(task)), environment({}), settings.timeout, f"The collector {collector}")
    if told.get("how") != "done":
        raise credd_told.listing(str(told.get("how")), collector)
    return [str(name) for name in told.get("names") or ()]


def store(settings: Credd, service: Service, schedd: str, ticket: Path, *, token: Secret, address: str) -> None:
    """Put the token there, with the address where the credmon is to use it."""
    credential = {"vault_token": token.reveal(), "vault_url": address}
    task = {"do": "store", "collector": service.collector, "schedd": schedd, "service": service.token_name,
            "credential": json.dumps(credential)}  # fmt: skip
    about = of(settings, service, schedd, ticket)
    told = _asked(Secret(json.dumps(task)), about, settings.timeout, f"The schedd {schedd}")
    if told.get("how") != "done":
        raise credd_told.not_taken(str(told.get("how")), service, schedd)


def _asked(task: Secret, about: Mapping[str, str], seconds: float, who: str) -> dict[str, Any]:
    ended = run(CHILD, environment=about, seconds=seconds, given=task, errors=False)
    if ended.how == "late":
        raise Transient(f"{who} did not answer within {seconds:g} s.", credd_told.AGAIN)
    told = _read(ended.output)
    if told.get("how") == "missing":
        raise Refused(*MISSING)
    return told


def _read(output: str) -> dict[str, Any]:
    """The library prints what it likes before our line; when it breaks, there is none."""
    try:
        told = json.loads(output.splitlines()[-1])
    except (ValueError, IndexError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
