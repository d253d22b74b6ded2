"""Machine config pools: how far a cluster's machines have its pull secret. Pure, but for the reading."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bot.core.kubernetes import MACHINE_CONFIG_POOL, Json
from bot.core.ports import ReadTools
from bot.core.value import Value
from handlers.ecr_told import listed

HOSTED = "no pools"


class Pool(Value):
    """One pool. `wanted` and `current`: names of the configuration its machines are to have, and all have."""

    name: str
    machines: int = 0
    updated: int = 0
    paused: bool = False
    degraded: bool = False
    finished: bool = False  # says the operator
    wanted: str = ""
    current: str = ""

    @property
    def behind(self) -> bool:
        return not self.finished or self.wanted != self.current

    @property
    def settled(self) -> bool:
        """Nothing will happen any more: it is finished, or somebody has paused it."""
        return not self.behind or self.paused


def pools(cluster: str, tools: ReadTools) -> tuple[Pool, ...]:
    """Those of the cluster by name; none where the control plane is hosted elsewhere."""
    return tuple(sorted(map(read, tools.kubernetes.all(cluster, MACHINE_CONFIG_POOL)), key=lambda pool: pool.name))


def read(found: Json) -> Pool:
    spec, status = _mapping(found.get("spec")), _mapping(found.get("status"))
    conditions = {one.get("type"): one.get("status") for one in _list(status.get("conditions"))}
    return Pool(
        name=str(_mapping(found.get("metadata")).get("name", ""))[:100],
        machines=_count(status.get("machineCount")),
        updated=_count(status.get("updatedMachineCount")),
        paused=spec.get("paused") is True,
        degraded=conditions.get("Degraded") == "True" or _count(status.get("degradedMachineCount")) > 0,
        finished=conditions.get("Updated") == "True",
        wanted=_name(spec.get("configuration")),
        current=_name(status.get("configuration")),
    )


def told(pool: Pool) -> str:
    """In a few words: "worker 2 of 3, paused"."""
    far = f"all {pool.machines}" if not pool.behind else f"{pool.updated} of {pool.machines}"
    marks = [word for word, so in (("paused", pool.paused), ("degraded", pool.degraded)) if so]
    return ", ".join([f"{pool.name} {far}", *marks])


def all_told(found: Iterable[Pool]) -> str:
    return "; ".join(map(told, found)) or HOSTED


def before(cluster: str, found: tuple[Pool, ...]) -> tuple[str, ...]:
    """What the approver should know."""
    paused, degraded = (tuple(one.name for one in found if getattr(one, word)) for word in ("paused", "degraded"))
    warned = []
    if paused:
        warned.append(f"{cluster}: {_named(paused)} paused, so the machines there keep the old pull secret.")
    if degraded:
        warned.append(f"{cluster}: {_named(degraded)} degraded, so some machines there may not take the new one.")
    return tuple(warned)


def after(cluster: str, found: tuple[Pool, ...]) -> tuple[str, ...]:
    """What somebody has to do so that every machine has it."""
    paused = tuple(told(one) for one in found if one.behind and one.paused)
    stuck = tuple(told(one) for one in found if one.behind and one.degraded and not one.paused)
    slow = tuple(told(one) for one in found if one.behind and not one.degraded and not one.paused)
    sentences = (
        (paused, "It is paused: until it is resumed (spec.paused: false), its machines keep the old pull secret."),
        (stuck, "See why with oc describe mcp; the machines that are left keep the old pull secret."),
        (slow, "It is still under way."),
    )  # fmt: skip
    return tuple(f"{cluster}: {listed(names, 10)}. {what}" for names, what in sentences if names)


def _named(names: tuple[str, ...]) -> str:
    return f"pool {names[0]} is" if len(names) == 1 else f"pools {listed(names, 10)} are"


def _name(configuration: Any) -> str:
    return str(_mapping(configuration).get("name", ""))[:253]


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _mapping(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Json]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
