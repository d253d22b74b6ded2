"""Steps and premises that more than one handler may use. They hold references and fingerprints, never values.

A fingerprint is 8 hex digits (`bot.core.ports.Fingerprints`); None stands for "was not there".
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar, Literal

from pydantic import Field

from bot.core.errors import Drifted, Refused, Unverified
from bot.core.plan import Premise, RunRef, Step
from bot.core.ports import Inside, ReadTools, Tools
from bot.core.secret import Secret, SecretRef
from bot.core.value import Value


class Copy(Value):
    """One field of the target: where its new value comes from, and its fingerprint before and after."""

    source: SecretRef
    field: str
    was: str | None
    becomes: str


class CopyFields(Step):
    """Set fields of one Vault path from other places, all in one write; the neighbours stay."""

    kind: Literal["vault.copy-fields"] = "vault.copy-fields"
    path: str
    copies: tuple[Copy, ...] = Field(min_length=1)

    def says(self) -> str:
        return f"Write {listed(tuple(copy.field for copy in self.copies))} to {self.path}"

    def done(self, tools: ReadTools) -> bool:
        return all(self._now(tools, copy) == copy.becomes for copy in self.copies)

    def do(self, tools: Tools, run: RunRef) -> None:
        foreign = self._foreign(tools)
        if foreign:
            raise changed_by_others(f"{self.path} ({listed(foreign)})")
        values = {copy.field: expected(tools, copy.source, copy.becomes) for copy in self.copies}
        tools.vault.write(self.path, values, run=run.id)

    def undo(self, tools: Tools, run: RunRef) -> None:
        """Takes back what is ours; a field that somebody else has set since stays as that person left it."""
        ours = {copy.field: copy.was for copy in self.copies if self._now(tools, copy) == copy.becomes}
        if ours:
            tools.vault.restore(self.path, ours, run=run.id)

    def retire(self, tools: Tools, run: RunRef) -> None:
        tools.vault.retire(self.path, run=run.id)

    def _now(self, tools: ReadTools, copy: Copy) -> str | None:
        return fingerprint(tools, SecretRef(path=self.path, field=copy.field))

    def _foreign(self, tools: ReadTools) -> tuple[str, ...]:
        """The fields that hold neither what was there when the plan was made nor what we write."""
        return tuple(copy.field for copy in self.copies if self._now(tools, copy) not in (copy.was, copy.becomes))


class Replacement(Value):
    """One place in a document: where its new value comes from, and its fingerprint before and after."""

    inside: Inside = Field(min_length=1)
    source: SecretRef
    was: str
    becomes: str


class PatchDocument(Step):
    """Replace single values in a base64 YAML document that is held in one Vault field.

    The whole document's fingerprints before and after are part of the plan: the document that was looked at is
    the one that is changed, and undoing never overwrites what somebody else wrote in between.
    """

    kind: Literal["vault.patch-document"] = "vault.patch-document"
    target: SecretRef
    document_was: str
    document_becomes: str
    replacements: tuple[Replacement, ...] = Field(min_length=1)

    def says(self) -> str:
        places = listed(tuple(shown(one.inside) for one in self.replacements))
        return f"Replace {places} in {self.target}"

    def done(self, tools: ReadTools) -> bool:
        return all(now == one.becomes for one, now in self._places(tools))

    def do(self, tools: Tools, run: RunRef) -> None:
        document = expected(tools, self.target, self.document_was)
        values = {one.inside: expected(tools, one.source, one.becomes) for one in self.replacements}
        with reading(self.target):
            patched = tools.documents.replace(document, values)
        if tools.fingerprints.of(patched) != self.document_becomes:
            raise Drifted(f"{self.target} would not become what was approved.", "Ask for a new plan.")
        tools.vault.write(self.target.path, {self.target.field: patched}, run=run.id)

    def undo(self, tools: Tools, run: RunRef) -> None:
        now = fingerprint(tools, self.target)
        if now == self.document_was:
            return
        if now == self.document_becomes:
            tools.vault.restore(self.target.path, {self.target.field: self.document_was}, run=run.id)
            return
        if self._holds_ours(tools):
            raise not_put_back(str(self.target), self.target.path, run)

    def retire(self, tools: Tools, run: RunRef) -> None:
        tools.vault.retire(self.target.path, run=run.id)

    def _holds_ours(self, tools: ReadTools) -> bool:
        """Does any of our places hold what we write? Somebody else changed the document, perhaps before we wrote."""
        try:
            return any(now == one.becomes for one, now in self._places(tools))
        except Refused:  # a document that cannot be read is not one that we wrote
            return False

    def _places(self, tools: ReadTools) -> tuple[tuple[Replacement, str | None], ...]:
        """Each replacement with the fingerprint of what stands in its place now; one read of the document."""
        document = tools.vault.find(self.target.path, self.target.field)
        if document is None:
            return tuple((one, None) for one in self.replacements)
        with reading(self.target):
            found = tuple(tools.documents.find(document, one.inside) for one in self.replacements)
        marks = (None if secret is None else tools.fingerprints.of(secret) for secret in found)
        return tuple(zip(self.replacements, marks, strict=True))


class ProveAccepted(Step):
    """Changes nothing: asks a cluster whether it accepts the token that was put somewhere, and whose it says it is."""

    kind: Literal["cluster.accepts"] = "cluster.accepts"
    proves: ClassVar[bool] = True
    cluster: str
    source: SecretRef
    becomes: str
    subject: str

    def says(self) -> str:
        return f"Ask {self.cluster} whether it accepts the token in {self.source} as {self.subject}"

    def done(self, tools: ReadTools) -> bool:
        token = lookup(tools, self.source)
        if token is None or tools.fingerprints.of(token) != self.becomes:
            return False
        try:
            return self._accepted(tools, token)
        except Refused:
            return False

    def do(self, tools: Tools, run: RunRef) -> None:  # noqa: ARG002  the verb of every step
        token = expected(tools, self.source, self.becomes)
        try:
            accepted = self._accepted(tools, token)
        except Refused as refusal:
            raise Unverified(refusal.what, refusal.now) from None
        if not accepted:
            raise Unverified(
                f"{self.cluster} takes the token in {self.source} for someone other than {self.subject}.",
                "Find out which account the token was issued to before asking again.",
            )

    def undo(self, tools: Tools, run: RunRef) -> None:
        """Nothing was changed."""

    def _accepted(self, tools: ReadTools, token: Secret) -> bool:
        return tools.clusters.who(self.cluster, token).name in (None, self.subject)


class FieldIs(Premise):
    """A field (or a place in the document it holds) still has the value the plan was made from."""

    kind: Literal["vault.field-is"] = "vault.field-is"
    ref: SecretRef
    fingerprint: str | None

    def says(self) -> str:
        return f"{self.ref} was {self.fingerprint or 'absent'}"

    def holds(self, tools: ReadTools) -> bool:
        return fingerprint(tools, self.ref) == self.fingerprint


@contextmanager
def reading(ref: SecretRef) -> Iterator[None]:
    """Says of a refusal which place it is about; tools for values and documents do not know where they come from."""
    try:
        yield
    except Refused as refusal:
        raise Refused(f"{ref}: {refusal.what}", refusal.now) from None


def lookup(tools: ReadTools, ref: SecretRef) -> Secret | None:
    """What lies at a reference now, None if there is nothing."""
    secret = tools.vault.find(ref.path, ref.field)
    if secret is None or not ref.inside:
        return secret
    with reading(ref):
        return tools.documents.find(secret, ref.inside)


def fingerprint(tools: ReadTools, ref: SecretRef) -> str | None:
    """The fingerprint of what lies at a reference now, None if there is nothing."""
    secret = lookup(tools, ref)
    return None if secret is None else tools.fingerprints.of(secret)


def expected(tools: ReadTools, ref: SecretRef, becomes: str) -> Secret:
    """What lies at a reference, if it is what the plan saw there; else Drifted."""
    secret = lookup(tools, ref)
    if secret is None or tools.fingerprints.of(secret) != becomes:
        raise changed_by_others(str(ref))
    return secret


def changed_by_others(where: str) -> Drifted:
    return Drifted(f"{where} has changed since the plan was shown.", "Ask for a new plan and look at it again.")


def not_put_back(where: str, path: str, run: RunRef) -> Drifted:
    return Drifted(
        f"{where} was changed by someone else during run {run.id}, so it was not put back as a whole.",
        f"Compare it with what was there before: the previous version of {path} (KV v2) "
        f"or {path}-before-{run.id} (KV v1).",
    )


def shown(inside: Inside) -> str:
    """A place in a document as people read it."""
    return " › ".join(str(key) for key in inside)


def listed(names: tuple[str, ...]) -> str:
    """Names as people write them: "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
