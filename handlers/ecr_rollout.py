"""The steps that make pods anew with the secret: restart a Deployment as kubectl does, and watch it to its end."""

from __future__ import annotations

from typing import ClassVar, Literal

from bot.core.errors import Drifted, Refused, Told, Transient, Unverified
from bot.core.kubernetes import DEPLOYMENT, POD, Json
from bot.core.plan import RunRef, Step
from bot.core.ports import ReadTools, Tools
from bot.core.value import Value
from handlers.ecr import Target
from handlers.ecr_look import held, span, stamp
from handlers.ecr_users import RESTARTED, Rollout, paused, restarted_at, rollout, selector
from handlers.ecr_waiting import waiting
from handlers.image_pull_look import Place, judge_pod
from handlers.image_pull_pods import waits
from handlers.image_pull_told import short

LOOK = 2.0  # seconds between two looks at a rollout, at first
SELDOM = 10.0  # and in the end
TRIES = 4  # of a restart, when the Deployment changes between the look and the write
LEAST = 60.0  # seconds that a rollout is watched, though the bot was down when its time was over


class Restarted(Value):
    """A Deployment that is to be made anew. `written`: seconds since the epoch; its secret must have been written then
    or later. `after`: it must have been restarted after that, and not before this time."""

    target: Target
    name: str
    written: float
    after: float

    @property
    def where(self) -> str:
        return f"{self.name} in {self.target.name}"

    def found(self, tools: ReadTools) -> Json:
        found = tools.kubernetes.find(self.target.cluster, DEPLOYMENT, self.name, self.target.namespace)
        if found is None:
            raise Drifted(f"The Deployment {self.where} ({self.target.cluster}) is gone.", "Ask for a new plan.")
        return found

    def at(self, tools: ReadTools) -> float | None:
        """When it was restarted as it is to be, by whomever; None if it was not."""
        at = restarted_at(self.found(tools))
        return at if at is not None and at >= max(self.written, self.after) else None


class RestartDeployment(Step):
    """Restart a Deployment, after the secret was written: one annotation of its pod template, as `kubectl rollout
    restart` does. It cannot be undone."""

    kind: Literal["ecr.restart-deployment"] = "ecr.restart-deployment"
    deployment: Restarted

    def says(self) -> str:
        return f"Restart {self.deployment.where}"

    def done(self, tools: ReadTools) -> bool:
        """Restarted since the secret was written: pods from before have not seen it."""
        at = self.deployment.at(tools)
        written = held(self.deployment.target, tools).written_at if at else None
        return at is not None and written is not None and self.deployment.written <= written <= at

    def do(self, tools: Tools, run: RunRef) -> None:  # noqa: ARG002  the verb of every step
        """Only as it was looked at: a try that was given up and is carried out late makes no pods anew once more."""
        for _ in range(TRIES):
            since, found = self._since(tools), self.deployment.found(tools)
            if paused(found):
                raise Refused(
                    f"{self.deployment.where} is paused, so it cannot be restarted.",
                    "Resume it (oc rollout resume), which rolls it out as well.",
                )
            try:
                return self._restart(found, since, tools)
            except Drifted:
                if self.done(tools):
                    return None
        raise Transient(f"{self.deployment.where} changes all the time, so it was not restarted.", "It is tried again.")

    def _restart(self, found: Json, since: float, tools: Tools) -> None:
        note = {RESTARTED: stamp(max(tools.now(), since))}
        change = {"spec": {"template": {"metadata": {"annotations": note}}}}
        target, version = self.deployment.target, str(found.get("metadata", {}).get("resourceVersion", ""))
        tools.kubernetes.patch(target.cluster, DEPLOYMENT, self.deployment.name, change, target.namespace, was=version)

    def _since(self, tools: ReadTools) -> float:
        """From when on a restart counts. Refused if the secret was not written as planned."""
        one, written = self.deployment, held(self.deployment.target, tools).written_at
        if written is None or written < one.written:
            raise Refused(
                f"{one.target.credential} was not written, so {one.where} was not restarted.",
                "See why the secret was not written, and ask again.",
            )
        return max(written, one.after)


class WatchRollout(Step):
    """Changes nothing: waits until every pod of the restarted Deployment is new and available, or tells why not."""

    kind: Literal["ecr.watch-rollout"] = "ecr.watch-rollout"
    proves: ClassVar[bool] = True
    deployment: Restarted

    def says(self) -> str:
        most = span(self.deployment.target.deadline)
        return f"Watch {self.deployment.where} until its pods are new, for at most {most}"

    def done(self, tools: ReadTools) -> bool:
        return rollout(self.deployment.found(tools)).finished

    def do(self, tools: Tools, run: RunRef) -> None:
        least, wait = tools.now() + LEAST, LOOK
        end = max(least, self._began(tools) + self.deployment.target.deadline)
        while not (seen := self._look(tools, run)).finished:
            if seen.stuck or tools.now() >= end:
                raise self._failed(seen, tools)
            run.pause(wait)
            wait = min(wait * 1.2, SELDOM)

    def undo(self, tools: Tools, run: RunRef) -> None:
        """Nothing was changed."""

    def _began(self, tools: ReadTools) -> float:
        """When it was restarted. Refused if it was not: then there is nothing to watch."""
        at = self.deployment.at(tools)
        if at is None:
            what = f"{self.deployment.where} was not restarted, so there is nothing to watch."
            raise Refused(what, "See why it was not restarted, and ask again.")
        return at

    def _look(self, tools: ReadTools, run: RunRef) -> Rollout:
        """How far it is, told to people. A cluster that does not answer for a while ends no watch."""
        try:
            seen = rollout(self.deployment.found(tools))
        except Transient:
            silent = f"{self.deployment.target.cluster} does not answer"
            seen = Rollout(finished=False, stuck=False, said=silent)
        run.tell(seen.said)
        return seen

    def _failed(self, seen: Rollout, tools: ReadTools) -> Unverified:
        one = self.deployment
        why = "its progress deadline is exceeded" if seen.stuck else f"{span(one.target.deadline)} are over"
        now = f"The old pods that are left go on. To see why, type /diagnose-image-pull {one.target.name} {one.name}."
        return Unverified(f"{one.where} did not roll out: {seen.said}, and {why}.{self._pods(tools)}", now)

    def _pods(self, tools: ReadTools) -> str:
        """What keeps its pods, in a sentence; empty if nobody can tell."""
        one = self.deployment
        try:
            chosen = selector(one.found(tools))
            pods = tools.kubernetes.all(one.target.cluster, POD, one.target.namespace, labels=chosen)
            why = self._why(pods, tools)
        except Told:
            return ""
        return "".join(f" {said}" for said in (why, waiting(pods)) if said)  # messages may be cut at their end

    def _why(self, pods: tuple[Json, ...], tools: ReadTools) -> str:
        """Of the first pod that does not get its image."""
        target, stuck = self.deployment.target, next(filter(waits, pods), None)
        place = Place(cluster=target.cluster, namespace=target.namespace, targets=(target,))
        found = judge_pod(place, stuck, tools) if stuck else ()
        return f"The reason: {short(found[0])}." if found else ""
