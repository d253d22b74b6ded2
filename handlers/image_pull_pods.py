"""Which containers wait for their image, read off pods and events as the API gives them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bot.core.kubernetes import Json
from bot.core.value import Value
from handlers.ecr_look import moment
from handlers.ecr_users import name, secrets_of
from handlers.image_pull_words import Said, of_reason, said

REASONS = (  # of waiting, all that have to do with images (upstream.md)
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
    "SignatureValidationFailed",
)
AFTER = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CrashLoopBackOff")  # of waiting
PULL_FAILED, LOST = "Failed to pull image", "FailedToRetrieveImagePullSecret"
LISTED = re.compile(r"image pull secrets \(([a-z0-9., -]{1,2000})\)")


class Waiting(Value):
    """A container that waits for its image, in one pod or in several that are alike. `since`: seconds since the epoch,
    when the oldest of the pods was made. `workload`: what made them, "" for a pod of its own. `secrets`: the pull
    secrets that the pods were given when they were made; `lost`: those of them that a node did not find."""

    pods: tuple[str, ...]
    workload: str
    container: str
    init: bool
    image: str
    said: Said
    since: float | None
    account: str
    secrets: tuple[str, ...]
    lost: tuple[str, ...] = ()

    @property
    def who(self) -> str:
        """As people are told it."""
        if not self.workload or len(self.pods) == 1:
            return self.pods[0] + (f" and {len(self.pods) - 1} more" if len(self.pods) > 1 else "")
        return f"{self.workload} ({len(self.pods)} pods)"


def waiting(pods: Iterable[Json], events: Iterable[Json]) -> tuple[Waiting, ...]:
    """Every container that waits for an image, pods that are alike taken together."""
    told = list(events)
    groups: dict[Waiting, list[Waiting]] = {}
    for pod in pods:
        for one in _of_pod(pod, told):
            groups.setdefault(one.model_copy(update={"pods": (), "since": None, "lost": ()}), []).append(one)
    return tuple(
        one.model_copy(update={
            "pods": tuple(sorted(each.pods[0] for each in alike)),
            "lost": max((each.lost for each in alike), key=len),
            "since": min((each.since for each in alike if each.since is not None), default=None),
        })
        for one, alike in groups.items()
    )  # fmt: skip


def waits(pod: Json) -> bool:
    return any(True for _ in _states(pod))


def of_workload(pod: Json, wanted: str) -> bool:
    """Is it this pod, or one that this workload has made?"""
    return wanted in (name(pod), _workload(pod))


def fetched(pod: Json) -> bool:
    """Do all its containers have their images? They run, have run, or fail at what comes after the pull."""
    statuses = _list(mapping(pod.get("status")).get("containerStatuses"))
    return bool(statuses) and all(map(_fetched, statuses))


def _fetched(status: Json) -> bool:
    """A container that the cluster ended before it had an image has no image's id."""
    state = mapping(status.get("state"))
    ended = "terminated" in state and bool(status.get("imageID"))
    return "running" in state or ended or mapping(state.get("waiting")).get("reason") in AFTER


def _of_pod(pod: Json, events: list[Json]) -> Iterator[Waiting]:
    spec, metadata = mapping(pod.get("spec")), mapping(pod.get("metadata"))
    for container, init, reason, message in _states(pod):
        found = of_reason(reason, message)
        if found.cause in ("", "unknown"):
            found = _from_events(pod, container, events) or found
        yield Waiting(
            pods=(name(pod),),
            workload=_workload(pod),
            container=container,
            init=init,
            image=_image(spec, container, init=init),
            said=found,
            since=moment(str(metadata.get("creationTimestamp", ""))),
            account=str(spec.get("serviceAccountName") or "default"),
            secrets=secrets_of(spec),
            lost=_lost(pod, secrets_of(spec), events),
        )


def _states(pod: Json) -> Iterator[tuple[str, bool, str, str]]:
    """Container, is it an init container, reason and message of each that waits for its image."""
    status = mapping(pod.get("status"))
    if mapping(pod.get("metadata")).get("deletionTimestamp") or status.get("phase") in ("Succeeded", "Failed"):
        return  # it is over, whatever stands there
    for key, init in (("initContainerStatuses", True), ("containerStatuses", False)):
        for one in _list(status.get(key)):
            now = mapping(mapping(one.get("state")).get("waiting"))
            reason = str(now.get("reason", ""))
            if reason in REASONS:
                yield str(one.get("name", "")), init, reason, str(now.get("message", ""))


def _from_events(pod: Json, container: str, events: list[Json]) -> Said | None:
    """What the newest event about this container's pulls says: older kubelets write into the status only that they
    back off."""
    fitting = [one for one in events if _about(one, pod, container) and PULL_FAILED in str(one.get("message", ""))]
    fitting.sort(key=lambda one: moment(str(one.get("lastTimestamp") or one.get("eventTime") or "")) or 0)
    return said(str(fitting[-1]["message"]).partition(": ")[2]) if fitting else None


def _lost(pod: Json, secrets: tuple[str, ...], events: list[Json]) -> tuple[str, ...]:
    """Of the pod's pull secrets those that its node says it did not find: where the bot may not read them, that is the
    only way to know."""
    told = [str(one.get("message", "")) for one in events if one.get("reason") == LOST and _about(one, pod, "")]
    names = {name.strip() for text in told if (found := LISTED.search(text)) for name in found[1].split(",")}
    return tuple(one for one in secrets if one in names)


def _about(event: Json, pod: Json, container: str) -> bool:
    involved, metadata = mapping(event.get("involvedObject")), mapping(pod.get("metadata"))
    if involved.get("uid", metadata.get("uid")) != metadata.get("uid") or involved.get("name") != name(pod):
        return False
    return str(involved.get("fieldPath", "")).endswith(f"{{{container}}}") or not involved.get("fieldPath")


def _image(spec: Json, container: str, *, init: bool) -> str:
    given = _list(spec.get("initContainers" if init else "containers"))
    return next((str(one.get("image", "")) for one in given if one.get("name") == container), "")[:500]


def _workload(pod: Json) -> str:
    """The name of what made the pod: of a ReplicaSet's the Deployment, which is the name without the hash."""
    metadata = mapping(pod.get("metadata"))
    owner: Json = next(iter(_list(metadata.get("ownerReferences"))), {})
    made_by = str(owner.get("name", ""))
    mark = mapping(metadata.get("labels")).get("pod-template-hash")
    return made_by.removesuffix(f"-{mark}") if owner.get("kind") == "ReplicaSet" and mark else made_by


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Json]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
