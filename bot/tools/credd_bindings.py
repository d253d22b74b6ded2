"""A program of its own: one task for HTCondor's Python bindings (htcondor2), read from its input, told in one line.

It tells how it went in words of ours: the library's texts end here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

NOT_LET_IN = ("authenticat", "authoriz", "permission", "denied", "not allowed")
UNKNOWN = ("unable to find", "unable to locate", "not found", "no such")


def main() -> None:
    task = json.loads(sys.stdin.read())
    print(json.dumps(done(task)), flush=True)  # noqa: T201 - that is its answer


def done(task: Mapping[str, Any]) -> dict[str, Any]:
    """`how`: done (with `names` for a list), missing, refused, unknown, constraint, or away for all the rest."""
    try:
        condor, ads = import_module("htcondor2"), import_module("classad2")
    except (ImportError, OSError):
        return {"how": "missing"}
    try:
        return _listed(condor, ads, task) if task["do"] == "list" else _stored(condor, task)
    except Exception as problem:  # everything: the library has one kind of error, and the token may be in its text
        return {"how": _how(str(problem).lower())}


def _listed(condor: Any, ads: Any, task: Mapping[str, Any]) -> dict[str, Any]:
    try:
        constraint = ads.ExprTree(task["constraint"] or "true")
    except Exception:
        return {"how": "constraint"}
    found = condor.Collector(task["collector"]).query(condor.AdType.Schedd, constraint=constraint, projection=["Name"])
    return {"how": "done", "names": [str(ad.get("Name", "")) for ad in found]}


def _stored(condor: Any, task: Mapping[str, Any]) -> dict[str, Any]:
    where = condor.Collector(task["collector"].split(",")).locate(condor.DaemonType.Credd, task["schedd"])
    if where is None:
        return {"how": "unknown"}
    credential = task["credential"].encode()
    condor.Credd(where).add_user_service_cred(condor.CredType.OAuth, credential, task["service"])
    return {"how": "done"}


def _how(text: str) -> str:
    if any(word in text for word in NOT_LET_IN):
        return "refused"
    return "unknown" if any(word in text for word in UNKNOWN) else "away"


if __name__ == "__main__":
    main()
