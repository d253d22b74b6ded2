"""What is the matter with the offline token in a place: by its claims, and by trying it where that is allowed."""

from __future__ import annotations

from dataclasses import dataclass

from bot.core.errors import Refused
from bot.core.plan import Note
from bot.core.ports import ReadTools
from bot.core.sso import Judged
from handlers.offline_look import Held, held, span, unfit, used_at
from handlers.offline_mends import HAND, mend
from handlers.offline_tokens import Place, Settings

ABSENT = "is not there"
ENDED = ("session_not_found", "session_not_active", "client_session_ended", "ordinary_session")


@dataclass(frozen=True)
class Looked:
    """A place as it is. `why`: what is wrong with the token by its claims alone. `judged`: what the realm said, when it
    was asked. `spends`: asking gave another token, which planning has no way to keep. `refused_at`: when a run was told
    no, if it was not used since. `subject`: whose token it has to be; empty if nobody knows."""

    name: str
    place: Place
    settings: Settings
    found: Held | None
    why: str | None
    judged: Judged | None
    spends: bool
    used_at: float | None
    refused_at: float | None
    subject: str

    def state(self, now: float) -> str:
        """One sentence on how it is."""
        if self.why is not None:
            return f"The token in {self.place.ref} {self.why}."
        if self.judged is not None:
            return self.judged.told
        if self.refused_at is not None:
            return f"Red Hat SSO refused it {span(now - self.refused_at)} ago; it was not tried since."
        return "It was not tried: trying it is a step of a plan here."

    def died_with(self, other: Held) -> bool:
        """Is the other one another of the very session that has ended? Then it is good for nothing, however new."""
        here, ended = self.found, self.judged is not None and self.judged.verdict in ENDED
        return ended and here is not None and other.session == here.session and other.mark != here.mark

    def notes(self, now: float, hand: str = HAND) -> tuple[Note, ...]:
        """The verdict first. `hand`: how somebody hands a new token in."""
        return (*self.verdict(now, hand), *self.facts(now))

    def verdict(self, now: float, hand: str = HAND) -> tuple[Note, ...]:
        mended = mend(self.judged, hand) if self.judged and self.why is None else ""
        cure = (Note(label="Cure", text=mended),) if mended else ()
        return (Note(label="Verdict", text=self.state(now)), *cure)

    def facts(self, now: float) -> tuple[Note, ...]:
        there = () if self.found is None else (Note(label="Token now", text=self.found.told(now)),)
        used = () if self.used_at is None else (Note(label="Last refreshed", text=self.name, at=self.used_at),)
        return (*there, *used)

    def warnings(self) -> tuple[str, ...]:
        if not self.spends:
            return ()
        return (
            f"Trying the token of {self.name} gave a new one, which could not be kept while only looking. Set probe: "
            "step for it in the settings: where the realm spends tokens, looking would use them up.",
        )


def look(name: str, place: Place, settings: Settings, tools: ReadTools) -> Looked:
    """Read the place; try its token only when the settings let it be tried while planning."""
    try:
        found = held(place.ref, tools)
        why = ABSENT if found is None else unfit(found, place, place.subject, tools)
    except Refused as refusal:
        if tools.vault.find(place.path, place.field) is None:
            raise
        found, why = None, f"cannot be read: {refusal.what.removeprefix(f'{place.ref}: ').rstrip('.')}"
    judged, spends = None, False
    if found is not None and why is None and place.probe == "planning":
        answer = tools.sso.refresh(place.realm, found.token, client=place.asks_as(tools))
        judged, spends = answer.judged, answer.instead is not None
    at = None if found is None else used_at(found, place, tools)
    refused = None if found is None else tools.vault.stamp(place.path, place.failed)
    refused = None if refused is None or refused < (at or 0.0) else refused
    ours = found is not None and found.issuer == tools.sso.issuer(place.realm)
    subject = place.subject or (found.subject if found is not None and ours else "")
    return Looked(name, place, settings, found, why, judged, spends, at, refused, subject)
