"""/test-pull: see a node pull an image with a pull secret, by a pod that lives for seconds (runbook beside this)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from bot.core import registry
from bot.core.errors import Drifted, Refused, Transient, Unverified
from bot.core.handler import Ask, ClusterNeed, Handler
from bot.core.kubernetes import POD, Access, Json
from bot.core.plan import Note, Plan, RunRef, Stage, Step
from bot.core.ports import ReadTools, Tools
from bot.core.value import Value
from handlers.diagnose_image_pull import places_of
from handlers.ecr import MANAGED, OURS, Settings, Target
from handlers.ecr_ground import allowed
from handlers.ecr_look import held, moment, span, told
from handlers.ecr_waiting import waiting
from handlers.image_pull_look import Place, judge_pod
from handlers.image_pull_pods import fetched, mapping
from handlers.image_pull_told import reason
from handlers.image_pull_verdict import Finding, Verdict

COMMAND = "test-pull"
MARK = "hivekeeper/test-pull"  # label of every such pod: its value is the run
LIFE = 180  # seconds after which the cluster itself ends such a pod
DEADLINE = 120.0  # seconds that a node has for pulling
LEAST = 20.0  # seconds that are watched at least, though the bot was down meanwhile
LOOK = 2.0  # seconds between two looks, at first
SELDOM = 10.0  # and in the end: each look at a pod that waits asks the registry
MOST = 10  # pods at once
NOTHING = "/hivekeeper-test-pull"  # no image has it: what is pulled is not run
PASSING = (Verdict.TRIES_AGAIN, Verdict.UNCLEAR, Verdict.TIMEOUT, Verdict.UNREACHABLE, Verdict.RATE_LIMITED)


class TestPull(Ask):
    """What a person types after /test-pull."""

    __test__ = False  # not for pytest

    where: str = Field(
        min_length=1,
        max_length=200,
        pattern=r"^[A-Za-z0-9._/-]+$",
        description="An environment or a namespace of the settings.",
        json_schema_extra={"positional": True},
    )
    image: str = Field(
        default="",
        max_length=400,
        pattern=r"^[A-Za-z0-9._/:@-]*$",
        description="Which image of the environment's registry; default: the one of the settings.",
        json_schema_extra={"positional": True},
    )


class TestPod(Value):
    """A pod that pulls one image with one pull secret."""

    __test__ = False  # not for pytest

    target: Target
    image: str
    name: str

    @property
    def where(self) -> str:
        return f"{self.target.namespace} of {self.target.cluster}"

    def found(self, tools: ReadTools) -> Json | None:
        return tools.kubernetes.find(self.target.cluster, POD, self.name, self.target.namespace)

    def remove(self, tools: Tools) -> None:
        tools.kubernetes.delete(self.target.cluster, POD, self.name, self.target.namespace)


class CreateTestPod(Step):
    """Create the pod. Nothing of the image is run, and the pod gets no token. Undoing removes it."""

    kind: Literal["image-pull.create-pod"] = "image-pull.create-pod"
    pod: TestPod

    def says(self) -> str:
        pulls = f"it pulls {self.pod.image} with {self.pod.target.secret}"
        return f"Create the pod {self.pod.name} in {self.pod.where}: {pulls}"

    def done(self, tools: ReadTools) -> bool:
        return self.pod.found(tools) is not None

    def do(self, tools: Tools, run: RunRef) -> None:
        tools.kubernetes.create(self.pod.target.cluster, POD, body(self.pod, run.id), self.pod.target.namespace)

    def undo(self, tools: Tools, run: RunRef) -> None:  # noqa: ARG002  the verb of every step
        self.pod.remove(tools)

    def retire(self, tools: Tools, run: RunRef) -> None:  # noqa: ARG002  likewise
        self.pod.remove(tools)


class WatchTestPod(Step):
    """Changes nothing: waits until a node has pulled the image, or tells why it does not."""

    kind: Literal["image-pull.watch-pod"] = "image-pull.watch-pod"
    proves: ClassVar[bool] = True
    pod: TestPod

    def says(self) -> str:
        return f"Watch until a node has pulled {self.pod.image} in {self.pod.where}, for at most {span(DEADLINE)}"

    def done(self, tools: ReadTools) -> bool:
        found = self.pod.found(tools)
        return found is not None and fetched(found)

    def do(self, tools: Tools, run: RunRef) -> None:
        least, end, wait = tools.now() + LEAST, 0.0, LOOK
        while not fetched(found := self._pod(tools)):
            end = end or max(least, _made(found, tools) + DEADLINE)
            over = tools.now() >= end
            if why := self._why(found, tools, over=over):
                raise Unverified(f"The test pull in {self.pod.target.name} failed: {why}", self._now())
            run.tell(f"{self.pod.target.name}: {waiting([found]) or 'the pod is starting.'}")
            run.pause(wait)
            wait = min(wait * 1.3, SELDOM)
        run.tell(f"{self.pod.target.name}: {_node(found)} has pulled it.")

    def undo(self, tools: Tools, run: RunRef) -> None:
        """Nothing was changed."""

    def _pod(self, tools: ReadTools) -> Json:
        found = self.pod.found(tools)
        if found is None:
            what = f"The pod {self.pod.name} in {self.pod.where} is gone, so nothing was proved."
            raise Drifted(what, "Somebody or a quota removed it; ask again.")
        return found

    def _why(self, found: Json, tools: ReadTools, *, over: bool) -> str:
        """Why it will not be pulled; empty while it may still be. A cluster that is away for a moment ends nothing."""
        place = Place(cluster=self.pod.target.cluster, namespace=self.pod.target.namespace, targets=(self.pod.target,))
        try:
            findings = judge_pod(place, found, tools)
        except Transient:
            findings = ()
        if said := next((reason(one) for one in findings if over or not _passing(one)), ""):
            return said.removeprefix(f"{self.pod.name}: ")  # people are told 300 characters
        return (waiting([found]) or f"{span(DEADLINE)} are over, and the pod has not started.") if over else ""

    def _now(self) -> str:
        return f"The pod is removed again. /diagnose-image-pull {self.pod.target.namespace} says what to do."


class RemoveTestPod(Step):
    """Remove the pod, and prove that it is gone."""

    kind: Literal["image-pull.remove-pod"] = "image-pull.remove-pod"
    proves: ClassVar[bool] = True  # before the pod is made it would seem to be done
    pod: TestPod

    def says(self) -> str:
        return f"Remove the pod {self.pod.name} in {self.pod.where}"

    def done(self, tools: ReadTools) -> bool:
        return self.pod.found(tools) is None

    def do(self, tools: Tools, run: RunRef) -> None:  # noqa: ARG002  the verb of every step
        self.pod.remove(tools)

    def undo(self, tools: Tools, run: RunRef) -> None:
        """It does not come back: a test that is over leaves nothing."""


def body(pod: TestPod, run: str) -> dict[str, Any]:
    """As restrictive as a namespace may demand, and with an end of its own."""
    safe = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"}}  # fmt: skip
    least, most = {"cpu": "10m", "memory": "16Mi"}, {"cpu": "100m", "memory": "64Mi"}
    container = {
        "name": "pull", "image": pod.image, "imagePullPolicy": "Always", "command": [NOTHING], "securityContext": safe,
        "resources": {"requests": least, "limits": most},
    }  # fmt: skip
    return {
        "metadata": {"name": pod.name, "labels": {MANAGED: OURS, MARK: run[:63]}},
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": LIFE,
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "imagePullSecrets": [{"name": pod.target.secret}],
            "containers": [container],
        },
    }


def _passing(finding: Finding) -> bool:
    return finding.verdict in PASSING


def _made(pod: Json, tools: ReadTools) -> float:
    made = moment(str(mapping(pod.get("metadata")).get("creationTimestamp", "")))
    return tools.now() if made is None else made


def _node(pod: Json) -> str:
    return str(mapping(pod.get("spec")).get("nodeName", "a node"))[:100]


def plan(ask: TestPull, settings: Settings, tools: ReadTools) -> Plan:
    """A pod in each namespace that is meant, watched and removed."""
    targets = tuple(target for place in places_of(ask.where, settings, tools) for target in place.targets)
    if not targets or len(targets) > MOST:
        how = f"has {len(targets)} pull secrets; at most {MOST} are tried at once" if targets else "has no pull secret"
        raise Refused(f"In the settings {ask.where} {how}.", "Name one namespace of an environment.")
    for target in targets:
        allowed(target, _rights(target), tools)
    stamp = int(tools.now())
    pods = tuple(
        TestPod(target=one, image=image_of(ask.image, one), name=f"{COMMAND}-{stamp}-{n}")
        for n, one in enumerate(targets)
    )
    kinds = (CreateTestPod, WatchTestPod, RemoveTestPod)
    stages = tuple(Stage(steps=tuple(kind(pod=one) for one in pods)) for kind in kinds)
    names = targets[0].name if len(pods) == 1 else f"{len(pods)} namespaces"
    return Plan(
        command=COMMAND,
        title=f"Test by a short-lived pod whether nodes can pull in {names}"[:150],
        subject=COMMAND,
        ask=ask.model_dump(mode="json"),
        stages=stages,
        notes=(*(_note(one, tools) for one in pods), HARMLESS),
    )


HARMLESS = Note(
    label="The pod",
    text=f"runs nothing of the image, gets no token, and is removed after the test; the cluster ends it after {LIFE} s",
)


def _note(pod: TestPod, tools: ReadTools) -> Note:
    secret = f"{pod.target.secret}: {told(held(pod.target, tools), tools.now())}"
    return Note(label=pod.target.name, text=f"{pod.image} with {secret}")


def _rights(target: Target) -> tuple[Access, ...]:
    return tuple(Access(verb=verb, resource="pods", namespace=target.namespace) for verb in ("create", "delete"))


def image_of(text: str, target: Target) -> str:
    """An image of the target's registry. Refused for one of another: its login is not what is tested."""
    wanted = text or target.image
    if not wanted:
        now = f"Give one: /{COMMAND} {target.namespace} image=repository:tag"
        raise Refused(f"The settings name no image for {target.env}.", now)
    first = wanted.partition("/")[0]
    strange = "/" in wanted and ("." in first or ":" in first) and first != target.registry
    if strange:
        raise Refused(
            f"That image is not at {target.registry}.", "The test is about the pull secret for that registry."
        )
    return str(registry.image(wanted if first == target.registry else f"{target.registry}/{wanted}"))


def needs(settings: Settings) -> tuple[ClusterNeed, ...]:
    """For `hivekeeper check`."""
    return tuple(
        ClusterNeed(cluster=one.cluster, access=access, reason=f"a test pull in {one.name}")
        for one in settings.targets()
        for access in _rights(one)
    )


HANDLER = Handler(
    name=COMMAND,
    summary="See a node pull an image with a pull secret, by a pod that lives for seconds.",
    ask=TestPull,
    settings=Settings,
    plan=plan,
    steps=(CreateTestPod, WatchTestPod, RemoveTestPod),
    example="dev",
    needs=needs,
)
