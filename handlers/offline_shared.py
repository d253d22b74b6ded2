"""Places that hold a token of the same session: whoever refreshes it keeps what is given for it in all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bot.core.ports import ReadTools
from bot.core.secret import SecretRef
from bot.core.side_by_side import each
from handlers.offline_look import Held, held
from handlers.offline_steps import Noted
from handlers.offline_tokens import Settings
from handlers.steps import listed

Sessions = Mapping[SecretRef, str]
SHARED = (
    "{places} {hold} the same token. Where the realm gives a new one with each use and spends the old, two that use it "
    "apart take it away from each other; the bot keeps all of these places alike when it refreshes it."
)


def sessions(settings: Settings, tools: ReadTools) -> Sessions:
    """The session of the token in each place of the settings, production's among them; without those that have none, or
    cannot be read now: one of them must not keep the others from being refreshed in time."""
    places = settings.places.values()
    refs = tuple(dict.fromkeys(source.ref for place in places for source in (place, place.production) if source))
    found = each(lambda ref: held(ref, tools), refs)
    return {ref: one.session for ref, one in zip(refs, found, strict=True) if isinstance(one, Held)}


def holders(session: str, known: Sessions, *first: SecretRef) -> tuple[SecretRef, ...]:
    """These, and then every other place with a token of the session."""
    return tuple(dict.fromkeys((*first, *(ref for ref, one in known.items() if one == session))))


def notes(refs: Iterable[SecretRef], settings: Settings) -> tuple[Noted, ...]:
    """Where it is noted of these places when they were used: beside each token that the settings name; nobody looks
    for that beside production's."""
    known = {place.ref: place for place in settings.places.values()}
    named = (known[ref] for ref in refs if ref in known)
    return tuple(Noted(path=place.path, used=place.noted, refused=place.failed) for place in named)


def warned(refs: tuple[SecretRef, ...], hold: str = "hold") -> tuple[str, ...]:
    """What an approver should know when more than one place has the token."""
    return (SHARED.format(places=listed(tuple(map(str, refs))), hold=hold),) if len(refs) > 1 else ()
