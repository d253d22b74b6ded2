"""Which accounts are sound once FERRY was asked, and what a person must decide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.core.errors import Told
from bot.core.plan import Note, Plan, Report, Table
from bot.core.ports import ReadTools
from handlers.managed_tokens import REFRESH, UID, accept, inventory, unusable

OFFERS = 5


def report(plan: Plan, settings: Any, tools: ReadTools) -> Report:  # noqa: ARG001  what every report gets
    accounts = {one.account for one in inventory(tools).services if one.uid is None}
    known = {one.key: one.value for one in tools.records.all(UID) if one.key in accounts}
    bad = {name: trouble for name in sorted(accounts) if (trouble := unusable(name, known.get(name, {})))}
    return Report(
        table=_table(bad) if bad else None,
        notes=(Note(label="Sound", text=f"{len(accounts) - len(bad)} of {len(accounts)} accounts"),),
        offers=tuple(accept(name, known[name]["becomes"]) for name in bad
                     if known.get(name, {}).get("becomes") is not None and REFRESH in tools.commands)[:OFFERS],
    )  # fmt: skip


def _table(bad: Mapping[str, Told]) -> Table:
    head = ("account", "nothing is pushed to it, because", "what to do now")
    return Table(head=head, rows=tuple((name, one.what, one.now) for name, one in bad.items()))
