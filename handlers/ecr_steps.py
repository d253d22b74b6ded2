"""The steps that put a fresh login where pods find it: into the Secret, and the Secret into service accounts."""

from __future__ import annotations

from typing import Literal

from bot.core.errors import Drifted, Refused
from bot.core.kubernetes import SERVICE_ACCOUNT, Json, SecretObject
from bot.core.plan import RunRef, Step
from bot.core.ports import ReadTools, Tools
from bot.core.secret import Secret
from handlers.ecr import DOCKER_CONFIG, DOCUMENT, EXPIRES, HOUR, MANAGED, OURS, REGISTRY, RUN, WRITTEN, Target
from handlers.ecr_look import held, stamp
from handlers.ecr_users import secrets_of


class WriteEcrSecret(Step):
    """Write a fresh login for one registry into one pull secret; what else is in it stays.

    `after`: seconds since the epoch, when the plan was made; what was written before does not count. `valid_until`: how
    long the login must last. `replaces`: the type of the Secret is wrong, so it is deleted and created.
    """

    kind: Literal["ecr.write-secret"] = "ecr.write-secret"
    target: Target
    after: float
    valid_until: float
    replaces: bool = False

    def says(self) -> str:
        how = "Delete and create" if self.replaces else "Write"
        return f"{how} {self.target.credential}: a login for {self.target.registry}"

    def done(self, tools: ReadTools) -> bool:
        found = held(self.target, tools)
        if not found.ours or found.misplaced or found.trouble:
            return False
        return (found.written_at or 0) >= self.after and (found.expires_at or 0) >= self.valid_until

    def do(self, tools: Tools, run: RunRef) -> None:
        place = (self.target.cluster, self.target.namespace)
        now = tools.kubernetes.secret(*place, self.target.secret)
        saved = tools.kubernetes.kept_secret(*place, self.target.secret, run=run.id) if now is None else None
        wanted = self._wanted(now, now or saved, tools, run)
        if now is not None and now.type != DOCKER_CONFIG:
            self._make_room(now, tools, run)
            now = None
        was = now.resource_version if now else None
        tools.kubernetes.write_secret(self.target.cluster, wanted, was=was, backup_for=run.id if now else "")

    def undo(self, tools: Tools, run: RunRef) -> None:
        """Takes back what this run wrote; what somebody else has written since stays."""
        place = (self.target.cluster, self.target.namespace)
        tools.kubernetes.restore_secret(*place, self.target.secret, run=run.id)

    def retire(self, tools: Tools, run: RunRef) -> None:
        tools.kubernetes.drop_backup(self.target.cluster, self.target.namespace, self.target.secret, run=run.id)

    def _wanted(self, now: SecretObject | None, old: SecretObject | None, tools: Tools, run: RunRef) -> SecretObject:
        until = max(self.valid_until, tools.now() + self.target.validity - HOUR)  # a plan may wait for days
        token = tools.aws.token(self.target.access, self.target.region, until=until)
        document = tools.docker_configs.put(self._kept(old, tools), self.target.registry, token.login)
        written = max(tools.now(), self.after)  # clocks of two replicas may differ a little
        ends = min(token.expires_at, written + self.target.validity)
        named = {REGISTRY: self.target.registry, WRITTEN: stamp(written), EXPIRES: stamp(ends), RUN: run.id}
        return SecretObject(
            namespace=self.target.namespace,
            name=self.target.secret,
            type=DOCKER_CONFIG,
            data={DOCUMENT: document},
            resource_version="",
            created_at=0,
            labels={} if now and MANAGED in now.labels else {MANAGED: OURS},
            annotations=named,
        )

    def _kept(self, old: SecretObject | None, tools: ReadTools) -> Secret | None:
        """The document whose other registries stay. One that cannot be read is kept in the backup only."""
        document = old.data.get(DOCUMENT) if old else None
        if document is None:
            return None
        try:
            tools.docker_configs.entries(document)
        except Refused:
            return None
        return document

    def _make_room(self, now: SecretObject, tools: Tools, run: RunRef) -> None:
        """A type cannot be changed: what is there is copied beside and deleted."""
        if not self.replaces:
            raise Drifted(f"{self.target.credential} has become one of type {now.type}.", "Ask for a new plan.")
        place = (self.target.cluster, self.target.namespace)
        tools.kubernetes.back_up_secret(*place, self.target.secret, was=now.resource_version, run=run.id)
        tools.kubernetes.delete_secret(*place, self.target.secret, was=now.resource_version)


class PatchServiceAccount(Step):
    """Add the pull secret to a service account, so that new pods which name none get it."""

    kind: Literal["ecr.patch-service-account"] = "ecr.patch-service-account"
    cluster: str
    namespace: str
    account: str
    secret: str

    def says(self) -> str:
        return f"Give {self.secret} to the service account {self.account} in {self.namespace} of {self.cluster}"

    def done(self, tools: ReadTools) -> bool:
        return self.secret in secrets_of(self._found(tools))

    def do(self, tools: Tools, run: RunRef) -> None:  # noqa: ARG002  the verb of every step
        found = self._found(tools)
        self._put(tools, found, [*_given(found), {"name": self.secret}])

    def undo(self, tools: Tools, run: RunRef) -> None:  # noqa: ARG002  likewise
        found = tools.kubernetes.find(self.cluster, SERVICE_ACCOUNT, self.account, self.namespace)
        if found is not None and self.secret in secrets_of(found):
            self._put(tools, found, [one for one in _given(found) if one.get("name") != self.secret])

    def _found(self, tools: ReadTools) -> Json:
        found = tools.kubernetes.find(self.cluster, SERVICE_ACCOUNT, self.account, self.namespace)
        if found is None:
            where = f"{self.namespace} of cluster {self.cluster}"
            raise Drifted(f"The service account {self.account} in {where} is gone.", "Ask for a new plan.")
        return found

    def _put(self, tools: Tools, found: Json, wanted: list[Json]) -> None:
        """The list is replaced as a whole, so only as it was read."""
        version = str(found.get("metadata", {}).get("resourceVersion", ""))
        change = {"imagePullSecrets": wanted}
        tools.kubernetes.patch(self.cluster, SERVICE_ACCOUNT, self.account, change, self.namespace, was=version)


def _given(found: Json) -> list[Json]:
    return list(found.get("imagePullSecrets") or ())
