"""Steps about offline tokens. A refresh may give a new token in the old one's place: whoever uses one keeps that.

A token is known by its session, not only by itself: one that was replaced by its successor is still the one that was
approved; one of another session is not (Drifted).
"""

from __future__ import annotations

from contextlib import suppress
from typing import ClassVar, Literal

from pydantic import Field

from bot.core import sso, stamp
from bot.core.errors import Drifted, Refused, Told, Transient, Unverified
from bot.core.plan import Premise, RunRef, Step
from bot.core.ports import ReadTools, Tools
from bot.core.secret import Secret, SecretRef
from bot.core.value import Value
from handlers.offline_look import Held, held, judged
from handlers.offline_mends import mend
from handlers.steps import changed_by_others, fingerprint, listed, lookup, not_put_back, reading

WAITS = "The bot has it in its memory for an hour: leave it running, and ask for the command again when Vault takes it."
BLANK = "nothing-here"  # stands for the token when only the rest of a document is compared


class Asked(Value):
    """Where tokens are tried: the realm of the settings, and as which client."""

    realm: str
    client: str

    def refresh(self, tools: ReadTools, token: Secret) -> sso.Refreshed:
        return tools.sso.refresh(self.realm, token, client=self.client)


class Noted(Value):
    """The fields beside a token that tell when it was last used, and when it was last refused."""

    path: str
    used: str
    refused: str


class TryToken(Step):
    """Proves by a refresh grant that a token is good, before it is brought anywhere. What the grant gives in its place
    is kept where it came from; `spare`: or there, when it cannot be."""

    kind: Literal["sso.try-token"] = "sso.try-token"
    proves: ClassVar[bool] = True
    source: SecretRef
    session: str
    asked: Asked
    spare: SecretRef

    def says(self) -> str:
        return f"Try the token in {self.source} at Red Hat SSO; if it is given a new one, keep that there"

    def done(self, tools: ReadTools) -> bool:
        """Trying it once more would use it once more: `do` has said whether it is good."""
        found = held(self.source, tools)
        return found is not None and found.session == self.session

    def do(self, tools: Tools, run: RunRef) -> None:
        found = of_session(tools, self.source, self.session)
        answer = self.asked.refresh(tools, found.token)
        if not answer.judged.good:
            raise Refused(f"The token in {self.source} is no good: {answer.judged.told}", mend(answer.judged))
        if answer.instead is not None:
            keep(tools, (self.source,), answer.instead, run, self.spare)

    def undo(self, tools: Tools, run: RunRef) -> None:
        """The newest token stays: the one before may be worth nothing now."""

    def retire(self, tools: Tools, run: RunRef) -> None:
        tools.vault.retire(self.source.path, run=run.id)


class TakeToken(Step):
    """Bring a token into its place; around it every character stays. `rest`: the fingerprint of the document with the
    token blanked out, so that undoing is safe whichever token of the session was brought."""

    kind: Literal["sso.take-token"] = "sso.take-token"
    source: SecretRef
    target: SecretRef
    session: str
    document_was: str | None
    rest: str

    def says(self) -> str:
        return f"Put the token of {self.source} into {self.target}"

    def done(self, tools: ReadTools) -> bool:
        one, other = lookup(tools, self.source), lookup(tools, self.target)
        return one is not None and other is not None and tools.fingerprints.same(one, other)

    def do(self, tools: Tools, run: RunRef) -> None:
        token = of_session(tools, self.source, self.session).token
        untouched = fingerprint(tools, whole(self.target)) == self.document_was
        if not untouched and not (self._ours(tools) and rest(tools, self.target) == self.rest):
            raise changed_by_others(str(whole(self.target)))
        put(tools, self.target, token, run)

    def undo(self, tools: Tools, run: RunRef) -> None:
        if fingerprint(tools, whole(self.target)) == self.document_was or not self._ours(tools):
            return
        if rest(tools, self.target) != self.rest:
            raise not_put_back(str(self.target), self.target.path, run)
        tools.vault.restore(self.target.path, {self.target.field: self.document_was}, run=run.id)

    def retire(self, tools: Tools, run: RunRef) -> None:
        tools.vault.retire(self.target.path, run=run.id)

    def _ours(self, tools: ReadTools) -> bool:
        """Does the place hold a token of the session we brought? Else somebody has put another one there since."""
        try:
            found = held(self.target, tools)
        except Refused:
            return False
        return found is not None and found.session == self.session


class RefreshToken(Step):
    """Use a token, which keeps its session alive; what is given in its place is kept in every place that had it. When
    it was used, or refused, is noted beside it."""

    kind: Literal["sso.refresh-token"] = "sso.refresh-token"
    places: tuple[SecretRef, ...] = Field(min_length=1)
    session: str
    asked: Asked
    spare: SecretRef
    notes: tuple[Noted, ...] = Field(min_length=1)
    since: float

    def says(self) -> str:
        return f"Refresh the token in {listed(tuple(map(str, self.places)))}; if it is given a new one, keep that there"

    def done(self, tools: ReadTools) -> bool:
        """Refreshed since the plan was made, and the same in every place."""
        first, *others = (held(ref, tools) for ref in self.places)
        if first is None or first.session != self.session or any(o is None or o.mark != first.mark for o in others):
            return False
        used = (tools.vault.stamp(note.path, note.used) for note in self.notes)
        return all(at is not None and at >= self.since for at in used)

    def do(self, tools: Tools, run: RunRef) -> None:
        token = self._newest(tools)
        answer = self.asked.refresh(tools, token)
        if not answer.judged.good:
            self._note(tools, [(note.path, note.refused) for note in self.notes], run)
            told = f"The token in {self.places[0]} is no good: {answer.judged.told}"
            raise Unverified(told, mend(answer.judged))
        keep(tools, self.places, token if answer.instead is None else answer.instead, run, self.spare)
        self._note(tools, [(note.path, note.used) for note in self.notes], run)

    def undo(self, tools: Tools, run: RunRef) -> None:
        """Nothing to put back: a session that was used stays so, and its newest token is the one that is good."""

    def retire(self, tools: Tools, run: RunRef) -> None:
        for path in {ref.path for ref in self.places}:
            tools.vault.retire(path, run=run.id)

    def _newest(self, tools: ReadTools) -> Secret:
        """A run that was cut off may have kept the new token in some places only."""
        found = [of_session(tools, ref, self.session) for ref in self.places]
        return max(found, key=lambda one: one.issued_at or 0.0).token

    def _note(self, tools: Tools, fields: list[tuple[str, str]], run: RunRef) -> None:
        at = stamp.noted(max(tools.now(), self.since))
        for path, name in fields:
            tools.vault.write(path, {name: at}, run=run.id)


class AccountLogsIn(Step):
    """Proves that the service account of the settings may log in."""

    kind: Literal["sso.log-in"] = "sso.log-in"
    proves: ClassVar[bool] = True
    realm: str
    account: str

    def says(self) -> str:
        return f"Log in at Red Hat SSO (realm {self.realm}) as the service account {self.account}"

    def done(self, tools: ReadTools) -> bool:
        """Each question is a login of its own: `do` has said whether it may."""
        return self.realm in tools.sso.realms()

    def do(self, tools: Tools, run: RunRef) -> None:  # noqa: ARG002  the verb of every step
        answer = tools.sso.login(self.realm, self.account)
        if not answer.judged.good:
            raise Refused(answer.judged.told, f"Check sso.{self.realm}.accounts.{self.account}; nothing was changed.")

    def undo(self, tools: Tools, run: RunRef) -> None:
        """Nothing was changed."""


class SameSession(Premise):
    """A place still holds the token that was seen, or one that took its place in the same session."""

    kind: Literal["sso.same-session"] = "sso.same-session"
    ref: SecretRef
    session: str

    def says(self) -> str:
        return f"{self.ref} held a token of session {self.session}"

    def holds(self, tools: ReadTools) -> bool:
        try:
            found = held(self.ref, tools)
        except Refused:
            return False
        return found is not None and found.session == self.session


def of_session(tools: ReadTools, ref: SecretRef, session: str) -> Held:
    """What lies there, if it is the token that was approved or its successor; else Drifted."""
    token = lookup(tools, ref)
    found = None if token is None else judged(ref, token, tools)
    if found is None or found.session != session:
        raise changed_by_others(str(ref))
    return found


def keep(tools: Tools, places: tuple[SecretRef, ...], token: Secret, run: RunRef, spare: SecretRef) -> None:
    """Put a token into each place that does not have it. When a place refuses, into the spare one: the one before may
    be worth nothing now."""
    for ref in places:
        try:
            put(tools, ref, token, run)
        except (Refused, Drifted) as trouble:
            raise _saved(tools, spare, token, run, trouble) from None
        except Transient as trouble:
            what = f"The token could not be kept in {ref} yet: {trouble.what}"
            raise Transient(what, WAITS, after=trouble.after, unheard=trouble.unheard) from None


def put(tools: Tools, ref: SecretRef, token: Secret, run: RunRef) -> None:
    """Into a field, or into its place in the document that the field holds; nothing when it is there already."""
    now = lookup(tools, ref)
    if now is None or not tools.fingerprints.same(now, token):
        tools.vault.write(ref.path, {ref.field: put_into(tools, ref, token)}, run=run.id)


def put_into(tools: ReadTools, ref: SecretRef, token: Secret) -> Secret:
    """What the field is to hold so that the token stands in the place. Refused when it cannot be put there."""
    if not ref.inside:
        return token
    document = tools.vault.read(ref.path, ref.field)
    with reading(ref):
        return tools.documents.replace(document, {ref.inside: token})


def rest(tools: ReadTools, ref: SecretRef) -> str:
    """The fingerprint of a place's surroundings: of its document without the token; empty where there is none."""
    if not ref.inside:
        return ""
    document = tools.vault.read(ref.path, ref.field)
    with reading(ref):
        return tools.fingerprints.of(tools.documents.replace(document, {ref.inside: Secret(BLANK)}))


def whole(ref: SecretRef) -> SecretRef:
    """The field that the place is in."""
    return ref.model_copy(update={"inside": ()})


def _saved(tools: Tools, spare: SecretRef, token: Secret, run: RunRef, trouble: Told) -> Refused:
    try:
        tools.vault.write(spare.path, {spare.field: token}, run=run.id)
    except Told as second:
        what = f"The new token could be kept neither in its place nor in {spare}: {trouble.what} {second.what}"
        return Refused(what, WAITS)
    with suppress(Told):  # nobody undoes this, so no older value is left lying about; the new one stands, that counts
        tools.vault.retire(spare.path, run=run.id)
    return Refused(
        f"The new token could not be kept in its place: {trouble.what}",
        f"It waits in {spare}. {trouble.now} Then ask for /fix-offline-session with cure=inbox.",
    )
