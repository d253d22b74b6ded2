"""Which Deployments pull with a secret, and how far their rollouts are. Pure judgement over the API's own JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from bot.core.errors import Refused
from bot.core.kubernetes import Json
from bot.core.registry import image
from bot.core.value import Value
from handlers.ecr_look import moment

KIND = re.compile(r"[A-Z][A-Za-z0-9]{0,62}", re.ASCII)
WORD = re.compile(r"[a-z0-9][a-z0-9.-]{0,252}", re.ASCII)
RESTARTED = "kubectl.kubernetes.io/restartedAt"  # annotation of the pod template, as kubectl writes it


class User(Value):
    """A Deployment whose pods get the secret. `account`: the service account they get it through, "" if it stands in
    the Deployment itself. `pulls`: does it pull anything from the registry?"""

    name: str
    account: str = ""
    pulls: bool = True
    paused: bool = False
    created_at: float | None = None
    restarted_at: float | None = None
    rolling: str = ""  # how far its rollout is, "" when that is finished

    @property
    def needs(self) -> bool:
        """Is it to be restarted? One that names the secret itself may pull through a mirror; one that merely has the
        service account may pull from elsewhere."""
        return self.pulls or not self.account


class Rollout(Value):
    """How far a rollout is. `stuck`: the controller gave up waiting."""

    finished: bool
    stuck: bool
    said: str


def users(deployments: Iterable[Json], accounts: Iterable[Json], secret: str, registry: str) -> tuple[User, ...]:
    """The Deployments that get this secret, by name."""
    giving = {name(one) for one in accounts if secret in secrets_of(one)}
    found = (_user(one, giving, secret, registry) for one in deployments)
    return tuple(sorted((one for one in found if one is not None), key=lambda one: one.name))


def _user(deployment: Json, giving: set[str], secret: str, registry: str) -> User | None:
    template = _mapping(_mapping(deployment.get("spec")).get("template"))
    spec = _mapping(template.get("spec"))
    own = secrets_of(spec)
    account = str(spec.get("serviceAccountName") or spec.get("serviceAccount") or "default")
    if secret not in own and (own or account not in giving):  # an account gives its secrets to pods that name none
        return None
    progress = rollout(deployment)
    return User(
        name=name(deployment),
        account="" if secret in own else account,
        pulls=any(from_registry(text, registry) for text in images(spec)),
        paused=paused(deployment),
        created_at=moment(str(_mapping(deployment.get("metadata")).get("creationTimestamp", ""))),
        restarted_at=restarted_at(deployment),
        rolling="" if progress.finished else progress.said,
    )


def secrets_of(holder: Json) -> tuple[str, ...]:
    """The names under `imagePullSecrets` of a pod's spec or of a service account."""
    given = holder.get("imagePullSecrets")
    return tuple(str(_mapping(one).get("name", "")) for one in given) if isinstance(given, list) else ()


def pulls_with(pod: Json) -> tuple[str, ...]:
    """The pull secrets of a pod, its account's among them; none of one that is over."""
    over = _mapping(pod.get("status")).get("phase") in ("Succeeded", "Failed")
    return () if over else secrets_of(_mapping(pod.get("spec")))


def maker(pod: Json) -> tuple[str, str]:
    """Kind and name of what made a pod, of a Deployment's ReplicaSet the Deployment; of one on its own the pod."""
    metadata = _mapping(pod.get("metadata"))
    owner = next(filter(None, map(_mapping, _list(metadata.get("ownerReferences")))), None)
    if owner is None:
        return "Pod", name(pod)
    kind, made_by = str(owner.get("kind", "")), str(owner.get("name", ""))
    if not (KIND.fullmatch(kind) and WORD.fullmatch(made_by)):  # nobody keeps these to what they should be
        return "Pod", name(pod)
    mark = f"-{_mapping(metadata.get('labels')).get('pod-template-hash')}"
    if kind == "ReplicaSet" and made_by.endswith(mark):
        return "Deployment", made_by.removesuffix(mark)
    return kind, made_by


def images(spec: Json) -> tuple[str, ...]:
    """The images of a pod's spec, init containers first."""
    containers = [*_list(spec.get("initContainers")), *_list(spec.get("containers"))]
    return tuple(str(_mapping(one).get("image", "")) for one in containers)


def from_registry(text: str, registry: str) -> bool:
    try:
        return image(text).host.lower() == registry.lower()
    except Refused:
        return False


def restarted_at(deployment: Json) -> float | None:
    template = _mapping(_mapping(deployment.get("spec")).get("template"))
    annotations = _mapping(_mapping(template.get("metadata")).get("annotations"))
    return moment(str(annotations.get(RESTARTED, "")))


def paused(deployment: Json) -> bool:
    return _mapping(deployment.get("spec")).get("paused") is True


def selector(deployment: Json) -> str:
    """The label selector of its pods, as the API takes it."""
    labels = _mapping(_mapping(_mapping(deployment.get("spec")).get("selector")).get("matchLabels"))
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def rollout(deployment: Json) -> Rollout:
    """As `kubectl rollout status` judges it."""
    spec, status = _mapping(deployment.get("spec")), _mapping(deployment.get("status"))
    generation = _number(_mapping(deployment.get("metadata")).get("generation"))
    if _number(status.get("observedGeneration")) < generation:
        return Rollout(finished=False, stuck=False, said="the controller has not seen the restart yet")
    wanted = _number(spec.get("replicas", 1))
    new, all_, ready = (_number(status.get(key)) for key in ("updatedReplicas", "replicas", "availableReplicas"))
    if new < wanted:
        return Rollout(finished=False, stuck=_gave_up(status), said=f"{new} of {wanted} pods are new")
    if all_ > new:
        old = all_ - new
        said = f"{old} old {'pod is' if old == 1 else 'pods are'} still ending"
        return Rollout(finished=False, stuck=_gave_up(status), said=said)
    if ready < new:
        return Rollout(finished=False, stuck=_gave_up(status), said=f"{ready} of {new} new pods are available")
    return Rollout(finished=True, stuck=False, said=f"{ready} of {wanted} pods are new and available")


def _gave_up(status: Mapping[str, Any]) -> bool:
    return any(
        _mapping(one).get("type") == "Progressing" and _mapping(one).get("reason") == "ProgressDeadlineExceeded"
        for one in _list(status.get("conditions"))
    )


def name(thing: Json) -> str:
    return str(_mapping(thing.get("metadata")).get("name", ""))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0
