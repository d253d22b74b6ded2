"""The kubelets of a played cluster: pods are put on nodes, pull their images, run, or tell why they cannot.

Nodes keep no images here: each new container pulls, whatever its imagePullPolicy, since that is what is played.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from playground.cluster_events import tell
from playground.cluster_pulls import Pulls
from playground.kubernetes_kinds import NODE, POD, SECRET
from playground.kubernetes_store import Store, copied, spelled

PULL, SHOWN, RUN = 0.3, 1.0, 1.0  # seconds: a pull; ErrImagePull is seen; a pod that ends by itself has run
BACK_OFF = (3.0, 6.0, 12.0, 20.0)  # seconds between attempts; real kubelets begin at 10 and end at 300
DEFAULT_NODE = "node-1"


@dataclass
class Container:
    """Where a container is: new, pulling, failed (ErrImagePull is shown), waiting (back-off), running, ended."""

    doing: str = "new"
    until: float = 0.0
    since: float = 0.0
    tries: int = 0
    failure: tuple[str, str] | None = None

    @property
    def done(self) -> bool:
        return self.doing in ("running", "ended")


@dataclass
class Pod:
    containers: dict[str, Container] = field(default_factory=dict)
    started: str = ""


class Kubelets:
    """`step` lets as much happen as is due by the store's clock."""

    def __init__(self, store: Store, pulls: Pulls) -> None:
        self.back_off, self.pull = BACK_OFF, PULL
        self._store, self._pulls = store, pulls
        self._pods: dict[str, Pod] = {}

    def step(self) -> None:
        with self._store.lock:
            pods = list(self._store.each(POD))
            for pod in pods:
                if not self._rests(pod):
                    self._pod(copied(pod))
            living = {pod["metadata"]["uid"] for pod in pods}
            self._pods = {uid: state for uid, state in self._pods.items() if uid in living}

    def _rests(self, pod: dict[str, Any]) -> bool:
        """Nothing will happen to it by itself any more."""
        phase, state = pod.get("status", {}).get("phase"), self._pods.get(pod["metadata"]["uid"])
        if phase in ("Succeeded", "Failed"):
            return True
        serves = pod["spec"].get("restartPolicy", "Always") == "Always" and phase == "Running"
        return bool(serves and state and all(one.done for one in state.containers.values()))

    @property
    def busy(self) -> bool:
        """Is something due before anybody writes something?"""
        return any(not one.done for pod in self._pods.values() for one in pod.containers.values())

    def _pod(self, pod: dict[str, Any]) -> None:
        state = self._pods.setdefault(pod["metadata"]["uid"], Pod())
        if not state.started:
            self._take(pod, state)
        spec = pod["spec"]
        first = [self._container(pod, state, each, init=True) for each in spec.get("initContainers") or ()]
        main = [each["name"] for each in spec.get("containers") or ()]
        if all(container.doing == "ended" for container in first):
            for each in spec.get("containers") or ():
                self._container(pod, state, each, init=False)
        pod["status"] = self._status(pod, state, main)
        self._store.replace(POD, pod)

    def _take(self, pod: dict[str, Any], state: Pod) -> None:
        """A node is found for it."""
        state.started = spelled(self._store.now())
        if not pod["spec"].get("nodeName"):
            nodes = [node["metadata"]["name"] for node in self._store.each(NODE)] or [DEFAULT_NODE]
            node = pod["spec"]["nodeName"] = nodes[len(self._pods) % len(nodes)]
            name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
            tell(self._store, pod, "Scheduled", f"Successfully assigned {name} to {node}", by="default-scheduler")
        gone = [each["name"] for each in pod["spec"].get("imagePullSecrets") or ()
                if self._store.get(SECRET, each["name"], pod["metadata"]["namespace"]) is None]  # fmt: skip
        if gone:
            message = (
                f"Unable to retrieve some image pull secrets ({', '.join(gone)}); attempting to pull the image may "
            )
            self._tell(pod, "FailedToRetrieveImagePullSecret", message + "not succeed.", warning=True)

    def _container(self, pod: dict[str, Any], state: Pod, spec: dict[str, Any], *, init: bool) -> Container:
        """One container, one move on. Init containers of one pod wait for each other."""
        earlier = list(state.containers.values())
        if init and any(not each.done for each in earlier) and spec["name"] not in state.containers:
            return Container()
        one = state.containers.setdefault(spec["name"], Container())
        now = self._store.now()
        if now >= one.until:
            self._move(pod, one, spec, now, ends=init or pod["spec"].get("restartPolicy", "Always") != "Always")
        if init and one.doing == "running":
            one.doing = "ended"
        return one

    def _move(self, pod: dict[str, Any], one: Container, spec: dict[str, Any], now: float, *, ends: bool) -> None:
        place, image = f"spec.containers{{{spec['name']}}}", spec.get("image", "")
        if one.doing in ("new", "waiting"):
            self._tell(pod, "Pulling", f'Pulling image "{image}"', place=place)
            one.doing, one.until = "pulling", now + self.pull
        elif one.doing == "pulling":
            one.failure = self._pulls.failure(pod, image)
            self._failed(pod, one, image, place, now) if one.failure else self._runs(pod, one, spec, place, now)
        elif one.doing == "failed":
            self._tell(pod, "BackOff", f'Back-off pulling image "{image}"', place=place)
            self._tell(pod, "Failed", "Error: ImagePullBackOff", place=place, warning=True)
            one.doing, one.until = "waiting", now + self.back_off[min(one.tries, len(self.back_off)) - 1]
        elif one.doing == "running" and ends:
            one.doing = "ended"

    def _failed(self, pod: dict[str, Any], one: Container, image: str, place: str, now: float) -> None:
        assert one.failure
        reason, text = one.failure
        if reason == "InvalidImageName":
            self._tell(pod, "InspectFailed", text, place=place, warning=True)
        else:
            self._tell(pod, "Failed", f'Failed to pull image "{image}": {text}', place=place, warning=True)
        self._tell(pod, "Failed", f"Error: {reason}", place=place, warning=True)
        one.doing, one.until, one.tries = "failed", now + SHOWN, one.tries + 1

    def _runs(self, pod: dict[str, Any], one: Container, spec: dict[str, Any], place: str, now: float) -> None:
        told = f'Successfully pulled image "{spec["image"]}" in {self.pull * 1000:.0f}ms'
        for reason, message in (("Pulled", told), ("Created", f"Created container: {spec['name']}"),
                                ("Started", f"Started container {spec['name']}")):  # fmt: skip
            self._tell(pod, reason, message, place=place)
        one.doing, one.since, one.until = "running", now, now + RUN

    def _tell(self, pod: dict[str, Any], reason: str, message: str, *, place: str = "", warning: bool = False) -> None:
        node = pod["spec"]["nodeName"]
        tell(self._store, pod, reason, message, by="kubelet", node=node, place=place, warning=warning)

    def _status(self, pod: dict[str, Any], state: Pod, main: list[str]) -> dict[str, Any]:
        ready = [name for name in main if (one := state.containers.get(name)) and one.doing == "running"]
        ended = [name for name in main if (one := state.containers.get(name)) and one.doing == "ended"]
        phase = "Succeeded" if main and ended == main else "Running" if ready or ended else "Pending"
        spec, started = pod["spec"], bool(main and set(main) & set(state.containers))
        status = {
            "phase": phase,
            "conditions": self._conditions(pod, [name for name in main if name not in ready], initialized=started),
            "hostIP": "192.0.2.20",
            "startTime": state.started,
            "initContainerStatuses": [self._shown(state, each, "") for each in spec.get("initContainers") or ()],
            "containerStatuses": [
                self._shown(state, each, "ContainerCreating" if started else "PodInitializing")
                for each in spec.get("containers") or ()
            ],
            "qosClass": "BestEffort",
        }
        return status if spec.get("initContainers") else {k: v for k, v in status.items() if k[:4] != "init"}

    def _conditions(self, pod: dict[str, Any], unready: list[str], *, initialized: bool) -> list[dict[str, Any]]:
        why = {"reason": "ContainersNotReady", "message": f"containers with unready status: [{' '.join(unready)}]"}
        wanted: list[tuple[str, bool, dict[str, str]]] = [
            ("Initialized", initialized, {}), ("Ready", not unready, why), ("ContainersReady", not unready, why),
            ("PodScheduled", True, {}),
        ]  # fmt: skip
        before = {each["type"]: each for each in pod.get("status", {}).get("conditions") or ()}
        return [self._condition(before.get(name), name, good, more) for name, good, more in wanted]

    def _condition(self, old: dict[str, Any] | None, name: str, good: bool, more: dict[str, str]) -> dict[str, Any]:
        value = "True" if good else "False"
        since = old["lastTransitionTime"] if old and old["status"] == value else spelled(self._store.now())
        return {"type": name, "status": value, "lastTransitionTime": since, **({} if good else more)}

    def _shown(self, state: Pod, spec: dict[str, Any], waits: str) -> dict[str, Any]:
        one, image = state.containers.get(spec["name"]) or Container(), spec.get("image", "")
        since = spelled(one.since)
        if one.doing == "running":
            now: dict[str, Any] = {"running": {"startedAt": since}}
        elif one.doing == "ended":
            end = {"exitCode": 0, "reason": "Completed", "startedAt": since, "finishedAt": since}
            now = {"terminated": end}
        else:
            now = {"waiting": self._waiting(one, image, waits or "PodInitializing")}
        running = one.doing == "running"
        return {"name": spec["name"], "image": image, "imageID": f"{image}@sha256:{'0' * 64}" if one.done else "",
                "ready": one.done if not waits else running, "started": running, "restartCount": 0, "state": now,
                "lastState": {}}  # fmt: skip

    def _waiting(self, one: Container, image: str, waits: str) -> dict[str, str]:
        if not one.failure:
            return {"reason": waits}
        reason, text = one.failure
        if one.doing == "failed" or reason == "InvalidImageName":
            return {"reason": reason, "message": text}
        tail = f": {reason}: {text}" if self._pulls.runtime == "cri-o" else ""  # newer kubelets say why
        return {"reason": "ImagePullBackOff", "message": f'Back-off pulling image "{image}"{tail}'}
