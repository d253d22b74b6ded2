"""Whatever fails in whichever runs: what has failed is asked for again, counted, and told; nothing else is."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.core.errors import Refused, Transient
from bot.engine import store, tables
from handlers.managed_records import TROUBLE
from handlers.managed_tokens import SIGN_IN
from handlers.push_tokens import HANDLER

NODES = [
    "dune_pro@gpvm1.example.com",
    "dune_pro@gpvm2.example.com",
    "dune_ana@gpvm1.example.com",
    "nova_pro@n1.example.com",
]
SCHEDDS = [f"{name}@s{n}.example.com" for name in ("dune_pro", "dune_ana", "nova_pro") for n in (1, 2)]
SERVICES = ["dune_pro", "dune_ana", "nova_pro"]
NEEDY = Refused(f"Somebody {SIGN_IN}.")
RUNS = st.lists(st.sets(st.sampled_from([*NODES, *SCHEDDS, *SERVICES]), max_size=6), min_size=1, max_size=4)


def failing(broken: set[str]) -> set[str]:
    """The places that get nothing."""
    return {where for where in (*NODES, *SCHEDDS) if where in broken or where.partition("@")[0] in broken}


def emptied(scene: Any, memory: sa.Engine) -> Any:
    with store.writing(memory) as conn:
        conn.execute(tables.record.delete().where(tables.record.c.kind != "tokens.uid"))
    scene.grid.holds.clear()
    scene.grid.mails.clear()
    return scene


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # emptied each time
@given(runs=RUNS)
def test_any_failures_are_tried_again_and_counted(scene: Any, memory: sa.Engine, runs: list[set[str]]) -> None:
    """Run after run by the button: each does just what is missing, says just what it could not do, and each place counts
    its own failures in a row; a service without a token counts one, and its places none. At the end all is well."""
    scene = emptied(scene, memory)
    ask: dict[str, Any] = {}
    missing = {*NODES, *SCHEDDS}
    counted: dict[str, int] = {}
    for broken in [*runs, set()]:
        scene.grid.broken = {name: NEEDY if "@" not in name else Transient("Away.") for name in broken}
        scene.grid.holds = {name: held for name, held in scene.grid.holds.items() if name not in broken}
        scene.grid.pushed.clear()
        scene.grid.stored.clear()
        plan = scene.plan(HANDLER, **ask)
        scene.apply(plan)
        brought = missing - failing(broken)
        assert {where for where, _ in scene.grid.pushed} | {*scene.grid.stored} == brought
        counted = expected(counted, missing, broken)
        assert {
            one.key: one.value["errors"] for one in scene.tools.records.all(TROUBLE) if one.value["errors"]
        } == counted
        missing -= brought
        again = scene.report(HANDLER, plan).again
        assert {*(again or {"service": ()})["service"]} == missing
        if again is None:
            break
        ask = again
        scene.grid.now += 3600
    assert missing == set()
    assert counted == {}


def expected(counted: dict[str, int], tried: set[str], broken: set[str]) -> dict[str, int]:
    """Errors in a row, by the key of each trouble."""
    now = dict(counted)
    for service in {where.partition("@")[0] for where in tried}:
        now[f"obtain:{service}"] = now.get(f"obtain:{service}", 0) + 1 if service in broken else 0
    for where in tried:
        if where.partition("@")[0] not in broken:
            key = f"{'push' if where in NODES else 'store'}:{where}"
            now[key] = now.get(key, 0) + 1 if where in broken else 0
    return {key: errors for key, errors in now.items() if errors}
