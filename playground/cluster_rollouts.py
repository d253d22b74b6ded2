"""The controllers of a played cluster: Deployments make ReplicaSets, those make pods, and what has no owner any more
goes. Conditions and words as the real ones write them."""

from __future__ import annotations

import hashlib
import json
import math
import secrets
from typing import Any

from playground import kubernetes_checks as checks
from playground.cluster_events import tell
from playground.kubernetes_answers import Failure
from playground.kubernetes_kinds import DEPLOYMENT, POD, REPLICA_SET, SERVICE_ACCOUNT
from playground.kubernetes_store import Store, spelled

Json = dict[str, Any]
HASH, REVISION = "pod-template-hash", "deployment.kubernetes.io/revision"
AVAILABLE = {
    True: ("True", "MinimumReplicasAvailable", "Deployment has minimum availability."),
    False: ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability."),
}


class Controllers:
    """`step` makes each object come one move nearer to what is wanted."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._moved: dict[str, tuple[tuple[Any, ...], float]] = {}  # uid of a Deployment: how far, and since when

    def step(self) -> None:
        with self._store.lock:
            self._collect()
            for one in list(self._store.each(REPLICA_SET)):
                self._report(one)
            for deployment in list(self._store.each(DEPLOYMENT)):
                self._roll(deployment)
            for one in list(self._store.each(REPLICA_SET)):
                self._replicate(one)
                self._report(one)
            for deployment in list(self._store.each(DEPLOYMENT)):
                self._conclude(deployment)

    def _collect(self) -> None:
        """What was owned by something that is gone."""
        living = {one["metadata"]["uid"] for kind in (DEPLOYMENT, REPLICA_SET) for one in self._store.each(kind)}
        for kind in (REPLICA_SET, POD):
            for one in list(self._store.each(kind)):
                owners = one["metadata"].get("ownerReferences") or ()
                gone = [o for o in owners if o["kind"] in ("Deployment", "ReplicaSet") and o["uid"] not in living]
                if gone:
                    self._store.remove(kind, one["metadata"]["name"], one["metadata"]["namespace"])

    def _roll(self, deployment: Json) -> None:
        """At most one change of the number of pods."""
        if deployment["spec"].get("paused"):
            return
        new, old = self._sets(deployment)
        if new is None:
            new = self._born(deployment, old)
        wanted = deployment["spec"]["replicas"]
        if deployment["spec"]["strategy"]["type"] == "Recreate":
            waits = [one for one in old if one["spec"]["replicas"] or one["status"].get("replicas")]
            for one in waits:
                self._scale(deployment, one, 0)
            if not waits:
                self._scale(deployment, new, wanted)
            return
        total = sum(one["spec"]["replicas"] for one in (new, *old))
        surge, missing = limits(deployment)
        have = new["spec"]["replicas"]
        if have > wanted:
            self._scale(deployment, new, wanted)
        elif have < wanted and (room := wanted + surge - total) > 0:
            self._scale(deployment, new, have + min(room, wanted - have))
        else:
            self._shrink(deployment, new, old, total - (wanted - missing))

    def _shrink(self, deployment: Json, new: Json, old: list[Json], spare: int) -> None:
        """Old pods go, the broken ones first, as long as enough are left that serve."""
        spare -= new["spec"]["replicas"] - new["status"].get("availableReplicas", 0)
        for one in sorted(old, key=lambda each: each["status"].get("availableReplicas", 0)):
            broken = one["spec"]["replicas"] - one["status"].get("availableReplicas", 0)
            gone = min(spare, one["spec"]["replicas"] if broken == 0 else broken)
            if gone > 0:
                self._scale(deployment, one, one["spec"]["replicas"] - gone)
                return

    def _sets(self, deployment: Json) -> tuple[Json | None, list[Json]]:
        """The ReplicaSet of the present template, and the others."""
        uid, mark = deployment["metadata"]["uid"], _hash(deployment["spec"]["template"])
        owned = [
            one for one in self._store.each(REPLICA_SET, deployment["metadata"]["namespace"]) if _owner(one) == uid
        ]
        new = next((one for one in owned if one["metadata"]["labels"][HASH] == mark), None)
        return new, [one for one in owned if one is not new]

    def _born(self, deployment: Json, old: list[Json]) -> Json:
        metadata, template = deployment["metadata"], deployment["spec"]["template"]
        mark = _hash(template)
        revision = str(max([int(one["metadata"]["annotations"][REVISION]) for one in old] or [0]) + 1)
        labels = {**template["metadata"]["labels"], HASH: mark}
        owner = _reference(deployment)
        self._store.replace(
            DEPLOYMENT,
            {
                **deployment,
                "metadata": {**metadata, "annotations": {**(metadata.get("annotations") or {}), REVISION: revision}},
            },
        )
        return self._store.add(REPLICA_SET, {
            "metadata": {"name": f"{metadata['name']}-{mark}", "namespace": metadata["namespace"], "labels": labels,
                         "annotations": {REVISION: revision}, "ownerReferences": [owner]},
            "spec": {"replicas": 0, "selector": {"matchLabels": labels},
                     "template": {**template, "metadata": {**template["metadata"], "labels": labels}}},
            "status": {"replicas": 0},
        })  # fmt: skip

    def _scale(self, deployment: Json, one: Json, count: int) -> None:
        before = one["spec"]["replicas"]
        if before == count:
            return
        self._store.replace(REPLICA_SET, {**one, "spec": {**one["spec"], "replicas": count}})
        word = "up" if count > before else "down"
        message = f"Scaled {word} replica set {one['metadata']['name']} to {count}"
        tell(self._store, deployment, "ScalingReplicaSet", message, by="deployment-controller")

    def _replicate(self, one: Json) -> None:
        pods = self._pods(one)
        for _ in range(one["spec"]["replicas"] - len(pods)):
            self._make(one)
        surplus = sorted(pods, key=lambda pod: (_ready(pod), pod["metadata"]["creationTimestamp"]))
        for pod in surplus[: max(0, len(pods) - one["spec"]["replicas"])]:
            self._store.remove(POD, pod["metadata"]["name"], pod["metadata"]["namespace"])
            self._tell(one, "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")

    def _make(self, one: Json) -> None:
        metadata, template = one["metadata"], one["spec"]["template"]
        pod = {"metadata": {**template["metadata"], "name": f"{metadata['name']}-{secrets.token_hex(3)[:5]}",
                            "generateName": f"{metadata['name']}-", "namespace": metadata["namespace"],
                            "ownerReferences": [_reference(one)]},
               "spec": template["spec"], "status": {"phase": "Pending", "qosClass": "BestEffort"}}  # fmt: skip
        pod = checks.filled(POD, pod)
        account = self._store.get(SERVICE_ACCOUNT, pod["spec"]["serviceAccountName"], metadata["namespace"])
        try:
            made = self._store.add(POD, checks.admit(pod, account))
        except Failure as refused:
            self._tell(one, "FailedCreate", f"Error creating: {refused.answer.body['message']}", warning=True)
        else:
            self._tell(one, "SuccessfulCreate", f"Created pod: {made['metadata']['name']}")

    def _tell(self, one: Json, reason: str, message: str, *, warning: bool = False) -> None:
        tell(self._store, one, reason, message, by="replicaset-controller", warning=warning)

    def _pods(self, one: Json) -> list[Json]:
        uid = one["metadata"]["uid"]
        return [pod for pod in self._store.each(POD, one["metadata"]["namespace"]) if _owner(pod) == uid]

    def _report(self, one: Json) -> None:
        """A ReplicaSet's status; zeros are left out, but for one."""
        current = self._store.get(REPLICA_SET, one["metadata"]["name"], one["metadata"]["namespace"])
        if current is None:
            return
        pods = self._pods(current)
        ready = sum(_ready(pod) for pod in pods)
        counts = {"fullyLabeledReplicas": len(pods), "readyReplicas": ready, "availableReplicas": ready}
        status = {"replicas": len(pods), **{k: v for k, v in counts.items() if v}}
        status["observedGeneration"] = current["metadata"]["generation"]
        if current.get("status") != status:
            self._store.replace(REPLICA_SET, {**current, "status": status})

    def _conclude(self, deployment: Json) -> None:
        """A Deployment's status."""
        new, old = self._sets(deployment)
        every = [one for one in (new, *old) if one]
        sums = {
            name: sum(one["status"].get(name, 0) for one in every)
            for name in ("replicas", "readyReplicas", "availableReplicas")
        }
        updated = new["status"].get("replicas", 0) if new else 0
        total = sum(one["spec"]["replicas"] for one in every)
        counts = {**sums, "updatedReplicas": updated,
                  "unavailableReplicas": max(0, total - sums["availableReplicas"])}  # fmt: skip
        conditions = self._conditions(deployment, counts, new)
        status = {"observedGeneration": deployment["metadata"]["generation"], **{k: v for k, v in counts.items() if v}}
        self._store.replace(DEPLOYMENT, {**deployment, "status": {**status, "conditions": conditions}})

    def _conditions(self, deployment: Json, counts: dict[str, int], new: Json | None) -> list[Json]:
        before = {each["type"]: each for each in (deployment.get("status") or {}).get("conditions") or ()}
        wanted, (_, missing) = deployment["spec"]["replicas"], limits(deployment)
        enough = AVAILABLE[counts["availableReplicas"] >= wanted - missing]
        progress = self._progress(deployment, counts, new, before.get("Progressing"))
        found = {"Available": enough, "Progressing": progress}
        return [self._condition(before.get(name), name, told) for name, told in found.items()]

    def _progress(
        self, deployment: Json, counts: dict[str, int], new: Json | None, old: Json | None
    ) -> tuple[str, str, str]:
        uid, wanted, now = deployment["metadata"]["uid"], deployment["spec"]["replicas"], self._store.now()
        if deployment["spec"].get("paused") or new is None:
            self._moved.pop(uid, None)  # the clock starts anew when it goes on
            return "Unknown", "DeploymentPaused", "Deployment is paused"
        name, ready = f'ReplicaSet "{new["metadata"]["name"]}"', counts["availableReplicas"]
        if counts["updatedReplicas"] == counts["replicas"] == ready == wanted:
            return "True", "NewReplicaSetAvailable", f"{name} has successfully progressed."
        stays = old and old["reason"] == "NewReplicaSetAvailable" and name in old["message"]
        if old and stays:  # pods that break later are no rollout
            return old["status"], old["reason"], old["message"]
        which = new["metadata"]["uid"], new["metadata"]["generation"]
        far = (*which, counts["updatedReplicas"], counts["readyReplicas"], -counts["replicas"])
        if uid not in self._moved or self._moved[uid][0] != far:
            self._moved[uid] = far, float(int(now))  # the real one reads it off a condition, in whole seconds
        if now - self._moved[uid][1] > deployment["spec"]["progressDeadlineSeconds"]:
            return "False", "ProgressDeadlineExceeded", f"{name} has timed out progressing."
        return "True", "ReplicaSetUpdated", f"{name} is progressing."

    def _condition(self, old: Json | None, name: str, told: tuple[str, str, str]) -> Json:
        status, reason, message = told
        if old and (old["status"], old["reason"], old["message"]) == told:
            return old
        now = spelled(self._store.now())
        since = old["lastTransitionTime"] if old and old["status"] == status else now
        return {"type": name, "status": status, "lastUpdateTime": now, "lastTransitionTime": since, "reason": reason,
                "message": message}  # fmt: skip


def limits(deployment: Json) -> tuple[int, int]:
    """How many pods more, and how many less, there may be during a rollout."""
    spec = deployment["spec"]
    rolling = spec["strategy"].get("rollingUpdate") or {}
    surge = _share(rolling.get("maxSurge", 0), spec["replicas"], math.ceil)
    missing = _share(rolling.get("maxUnavailable", 0), spec["replicas"], math.floor)
    return surge, missing if surge or missing else 1


def _share(value: Any, of: int, whole: Any) -> int:
    return int(whole(int(value.rstrip("%")) * of / 100)) if isinstance(value, str) else int(value)


def _hash(template: Json) -> str:
    return hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]


def _owner(one: Json) -> str:
    return next((str(owner["uid"]) for owner in one["metadata"].get("ownerReferences") or ()), "")


def _reference(one: Json) -> Json:
    return {"apiVersion": one["apiVersion"], "kind": one["kind"], "name": one["metadata"]["name"],
            "uid": one["metadata"]["uid"], "controller": True, "blockOwnerDeletion": True}  # fmt: skip


def _ready(pod: Json) -> bool:
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
