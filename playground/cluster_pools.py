"""The machine config operator of a played cluster: what a changed pull secret does to the MachineConfigPools."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from playground.cluster_pulls import NODES_OWN
from playground.kubernetes_kinds import MACHINE_CONFIG_POOL, SECRET
from playground.kubernetes_store import Store, spelled

Json = dict[str, Any]
MACHINE = 1.0  # seconds until one more machine has the new configuration


class Pools:
    """`step` lets as many machines update as are due by the store's clock. `degraded`: pool → the node that cannot."""

    def __init__(self, store: Store) -> None:
        self.degraded: dict[str, str] = {}
        self._store = store
        self._due: dict[str, float] = {}

    def step(self) -> None:
        with self._store.lock:
            secret = self._store.get(SECRET, NODES_OWN[1], NODES_OWN[0])
            for pool in self._store.all(MACHINE_CONFIG_POOL):
                if secret:
                    self._render(pool, rendered(pool["metadata"]["name"], secret))
                self._update(pool)

    @property
    def busy(self) -> bool:
        return bool(self._due)

    def _render(self, pool: Json, name: str) -> None:
        """What the pool's machines should have, also while it is paused. A pool without a status has it already."""
        pool["spec"]["configuration"] = {"name": name}
        status = pool.setdefault("status", {})
        if "configuration" not in status:
            status |= {"configuration": {"name": name}, "updatedMachineCount": status.get("machineCount", 0)}

    def _update(self, pool: Json) -> None:
        name, status = pool["metadata"]["name"], pool["status"]
        target = pool["spec"].get("configuration", {}).get("name", "")
        current, count = status.get("configuration", {}).get("name", ""), status.get("machineCount", 0)
        if target == current:
            self._due.pop(name, None)
            status["updatedMachineCount"] = count
        elif not pool["spec"].get("paused"):
            self._advance(pool, target, count)
        elif name not in self._due:
            status["updatedMachineCount"] = 0
        self._conclude(pool, target)

    def _advance(self, pool: Json, target: str, count: int) -> None:
        """One machine after the other, unless one of them cannot."""
        name, status, now = pool["metadata"]["name"], pool["status"], self._store.now()
        if name not in self._due:
            self._due[name], status["updatedMachineCount"] = now + MACHINE, 0
        while now >= self._due[name] and status["updatedMachineCount"] < count and name not in self.degraded:
            status["updatedMachineCount"] += 1
            self._due[name] += MACHINE
        if status["updatedMachineCount"] >= count:
            status["configuration"] = {"name": target}

    def _conclude(self, pool: Json, target: str) -> None:
        status, count = pool["status"], pool["status"].get("machineCount", 0)
        done, node = (
            status.get("configuration", {}).get("name", "") == target,
            self.degraded.get(pool["metadata"]["name"]),
        )
        moving = not done and not pool["spec"].get("paused")
        status |= {"machineCount": count, "readyMachineCount": status["updatedMachineCount"],
                   "unavailableMachineCount": int(moving), "degradedMachineCount": int(bool(node)),
                   "observedGeneration": pool["metadata"]["generation"]}  # fmt: skip
        status["conditions"] = self._conditions(pool, target, done=done, node=node)
        self._store.replace(MACHINE_CONFIG_POOL, pool)

    def _conditions(self, pool: Json, target: str, *, done: bool, node: str | None) -> list[Json]:
        paused = pool["spec"].get("paused", False)
        words = "Pool is paused; will not update to" if paused else "All nodes are updating to MachineConfig"
        reports = f'Node {node} is reporting: "unexpected on-disk state validating against {target}"'
        broken = ("True", "1 nodes are reporting degraded status on sync", reports) if node else ("False", "", "")
        wanted = {
            "RenderDegraded": ("False", "", ""),
            "NodeDegraded": broken,
            "Degraded": ("True" if node else "False", "", ""),
            "Updated": ("True", "", f"All nodes are updated with MachineConfig {target}")
            if done
            else ("False", "", ""),
            "Updating": ("False", "", "") if done else ("False" if paused else "True", "", f"{words} {target}"),
        }
        before = {each["type"]: each for each in pool["status"].get("conditions") or ()}
        return [self._condition(before.get(name), name, *told) for name, told in wanted.items()]

    def _condition(self, old: Json | None, name: str, value: str, reason: str, message: str) -> Json:
        since = old["lastTransitionTime"] if old and old["status"] == value else spelled(self._store.now())
        return {"type": name, "status": value, "reason": reason, "message": message, "lastTransitionTime": since}


def rendered(pool: str, secret: Json) -> str:
    """The name of the configuration that this pull secret makes."""
    mark = hashlib.sha256(json.dumps(secret.get("data"), sort_keys=True).encode()).hexdigest()[:32]
    return f"rendered-{pool}-{mark}"
