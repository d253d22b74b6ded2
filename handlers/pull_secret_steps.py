"""The steps of a sync: the new pull secret goes into the cluster, OCM takes its token, the machines get it."""

from __future__ import annotations

from typing import ClassVar, Literal

from bot.core.errors import Drifted, Refused, Transient, Unverified
from bot.core.kubernetes import SecretObject
from bot.core.ocm import Window
from bot.core.plan import Premise, RunRef, Step
from bot.core.ports import ReadTools, Tools
from bot.core.secret import Secret
from bot.core.value import Value
from handlers.ecr_look import span, stamp
from handlers.pull_secret_clusters import DOCKER_CONFIG, DOCUMENT, NAME, NAMESPACE, RUN, TRANSFER, WRITTEN
from handlers.pull_secret_compare import compare
from handlers.pull_secret_look import Held, Seen, ask, held
from handlers.pull_secret_pools import Pool, all_told, pools
from handlers.pull_secret_wish import wish

LOOK, SELDOM = 2.0, 15.0  # seconds between two looks at pools, at first and in the end
LEAST = 10.0  # seconds in which a pool usually takes notice of a new pull secret; it may have moved before for another
UNSEEN = 120.0  # seconds in which it surely does; later nothing more is waited for
ASKS, APART = 5, 10.0  # how often, and how far apart in seconds, OCM is asked whether it takes the new token
AGAIN = "Ask for a new plan."


class Sync(Value):
    """What is to become of one cluster's pull secret. `transfer`: its id; empty when something is put back. `old`,
    `offered`, `new`: keyed fingerprints of whole documents: the cluster's, OCM's, and the cluster's with OCM's put into
    it."""

    cluster: str
    transfer: str
    old: str
    offered: str
    new: str

    def holds(self, which: Literal["old", "new"], has: Held, tools: ReadTools) -> bool:
        """Is the cluster's pull secret that one ("old" or "new")?"""
        return tools.fingerprints.of(has.document) == (self.old if which == "old" else self.new)

    def seen(self, has: Held, tools: ReadTools) -> Seen:
        """OCM's answer now. Transient when nobody can tell."""
        window, offered = ask(has, wish(self.cluster, tools), tools)
        if window.degraded or window.reason == "Disconnected":
            raise Transient(window.told, "Try again when OCM answers.")
        return Seen(has, window, offered)

    def still_offered(self, seen: Seen, tools: ReadTools) -> bool:
        """The same transfer, with the same pull secret, in time?"""
        transfer, document = seen.window.transfer, seen.offered
        if transfer is None or document is None or transfer.id != self.transfer or seen.closed(tools.now()):
            return False
        return tools.fingerprints.of(document) == self.offered

    def written(self, tools: ReadTools) -> Held:
        """The cluster's pull secret. Refused when the new one was not written: then nothing is to be watched."""
        has = held(self.cluster, tools)
        if not self.holds("new", has, tools):
            raise Refused(
                f"The pull secret of cluster {self.cluster} was not written.", "See why not, and ask for it again."
            )
        return has


class WindowOpen(Premise):
    """The transfer is still accepted, and brings the same pull secret."""

    kind: Literal["pull-secret.window-open"] = "pull-secret.window-open"
    sync: Sync

    def says(self) -> str:
        return f"OCM has the transfer {self.sync.transfer} of {self.sync.cluster}, with the pull secret that was shown"

    def holds(self, tools: ReadTools) -> bool:
        has = held(self.sync.cluster, tools)
        return self.sync.holds("new", has, tools) or self.sync.still_offered(self.sync.seen(has, tools), tools)


class PullSecretUnchanged(Premise):
    """Nobody else has changed the cluster's pull secret."""

    kind: Literal["pull-secret.unchanged"] = "pull-secret.unchanged"
    sync: Sync

    def says(self) -> str:
        return f"The pull secret of {self.sync.cluster} is as it was shown"

    def holds(self, tools: ReadTools) -> bool:
        has = held(self.sync.cluster, tools)
        return self.sync.holds("old", has, tools) or self.sync.holds("new", has, tools)


class WritePullSecret(Step):
    """Put OCM's pull secret into the cluster's own; nothing in it is ever taken away."""

    kind: Literal["pull-secret.write"] = "pull-secret.write"
    sync: Sync

    def says(self) -> str:
        return f"Update the pull secret of {self.sync.cluster}, and keep the old one beside it"

    def done(self, tools: ReadTools) -> bool:
        return self.sync.holds("new", held(self.sync.cluster, tools), tools)

    def do(self, tools: Tools, run: RunRef) -> None:
        has = held(self.sync.cluster, tools)
        if not self.sync.holds("old", has, tools):
            raise Drifted(f"Somebody else changed the pull secret of cluster {self.sync.cluster}.", AGAIN)
        seen = self.sync.seen(has, tools)
        if not self.sync.still_offered(seen, tools):
            raise Drifted(f"{self.sync.cluster}: the transfer that was shown is not open any more.", AGAIN)
        merged = compare(seen, tools).merged
        if tools.fingerprints.of(merged) != self.sync.new:
            raise Drifted(f"{self.sync.cluster}: the pull secret would become another one than was shown.", AGAIN)
        wanted = self._wanted(merged, tools, run)
        try:
            tools.kubernetes.write_secret(self.sync.cluster, wanted, was=has.secret.resource_version, backup_for=run.id)
        except (Refused, Transient) as trouble:
            trouble.what = f"{self.sync.cluster}: UpdateFailed: {trouble.what}"  # the operator's word
            raise

    def undo(self, tools: Tools, run: RunRef) -> None:
        """Takes back what this run wrote; what somebody else has written since stays."""
        tools.kubernetes.restore_secret(self.sync.cluster, NAMESPACE, NAME, run=run.id)

    def retire(self, tools: Tools, run: RunRef) -> None:
        tools.kubernetes.drop_backup(self.sync.cluster, NAMESPACE, NAME, run=run.id)

    def _wanted(self, document: Secret, tools: ReadTools, run: RunRef) -> SecretObject:
        notes = {RUN: run.id, WRITTEN: stamp(tools.now()), TRANSFER: self.sync.transfer}
        return SecretObject(NAMESPACE, NAME, DOCKER_CONFIG, {DOCUMENT: document}, "", 0, {}, notes)


class RestorePullSecret(Step):
    """Put back the pull secret that a cluster had before a run, if what that run wrote is still there."""

    kind: Literal["pull-secret.restore"] = "pull-secret.restore"
    sync: Sync
    run: str

    def says(self) -> str:
        return f"Put back the pull secret that {self.sync.cluster} had before run {self.run}"

    def done(self, tools: ReadTools) -> bool:
        return self.sync.holds("new", held(self.sync.cluster, tools), tools)

    def do(self, tools: Tools, run: RunRef) -> None:  # noqa: ARG002  the verb of every step
        if not self.sync.holds("old", held(self.sync.cluster, tools), tools):
            raise Drifted(f"Somebody else changed the pull secret of cluster {self.sync.cluster}.", AGAIN)
        tools.kubernetes.restore_secret(self.sync.cluster, NAMESPACE, NAME, run=self.run)


class ConfirmAccepted(Step):
    """Changes nothing: OCM is asked with the token that the cluster has now."""

    kind: Literal["pull-secret.confirm"] = "pull-secret.confirm"
    proves: ClassVar[bool] = True
    sync: Sync

    def says(self) -> str:
        return f"Confirm that OCM accepts the new token of {self.sync.cluster}"

    def done(self, tools: ReadTools) -> bool:
        return accepted(self._window(tools))

    def do(self, tools: Tools, run: RunRef) -> None:
        for _ in range(ASKS):
            window = self._window(tools)
            if accepted(window):
                return
            run.tell(f"OCM does not accept it yet ({window.reason})")
            run.pause(APART)
        raise Unverified(
            f"{self.sync.cluster} has the new pull secret, but OCM does not accept its token. {window.told}",
            f"It is not put back by itself: /pull-secret restore {self.sync.cluster} proposes that.",
        )

    def undo(self, tools: Tools, run: RunRef) -> None:
        """Nothing was changed."""

    def _window(self, tools: ReadTools) -> Window:
        return self.sync.seen(self.sync.written(tools), tools).window


def accepted(window: Window) -> bool:
    """Did OCM take the token, whatever it has to say? A cluster without one has none to be taken."""
    return window.reason == "NoToken" or window.said


class WatchPools(Step):
    """Changes nothing: waits until the machines of every pool have the new pull secret. What is paused is not waited
    for. `before`: the configuration that each pool was to have when the plan was made. `seconds`: the longest."""

    kind: Literal["pull-secret.watch-pools"] = "pull-secret.watch-pools"
    proves: ClassVar[bool] = True
    sync: Sync
    before: dict[str, str]
    seconds: float

    def says(self) -> str:
        return f"Watch the machines of {self.sync.cluster} take it, for at most {span(self.seconds)}"

    def done(self, tools: ReadTools) -> bool:
        return all(pool.settled for pool in pools(self.sync.cluster, tools))

    def do(self, tools: Tools, run: RunRef) -> None:
        self.sync.written(tools)
        began, wait = tools.now(), LOOK
        while (found := self._look(tools, run)) is None or not self._over(found, tools.now() - began):
            if tools.now() - began >= self.seconds:
                raise self._late(found)
            run.pause(wait)
            wait = min(wait * 1.3, SELDOM)

    def undo(self, tools: Tools, run: RunRef) -> None:
        """Nothing was changed."""

    def _look(self, tools: ReadTools, run: RunRef) -> tuple[Pool, ...] | None:
        """How far they are, told to people. A cluster that does not answer for a while ends no watch."""
        try:
            found = pools(self.sync.cluster, tools)
        except Transient:
            run.tell(f"{self.sync.cluster} does not answer")
            return None
        run.tell(all_told(found))
        return found

    def _over(self, found: tuple[Pool, ...], waited: float) -> bool:
        """A pool is finished from the start, until the operator takes notice of the new pull secret."""
        moved = all(pool.paused or pool.wanted != self.before.get(pool.name) for pool in found)
        noticed = not found or waited >= min(LEAST if moved else UNSEEN, self.seconds)
        return noticed and all(pool.settled for pool in found)

    def _late(self, found: tuple[Pool, ...] | None) -> Unverified:
        how, after = all_told(found) if found is not None else "it does not answer", span(self.seconds)
        return Unverified(
            f"{self.sync.cluster} has the new pull secret, but not all of its machines have after {after}: {how}.",
            f"See why with oc describe mcp; /pull-secret status {self.sync.cluster} looks again.",
        )
