"""How old the offline tokens are, and which will end soon: the inventory. No token is tried for it."""

from __future__ import annotations

from bot.core.checklist import Offer
from bot.core.errors import Told
from bot.core.inventory import Credential, Freshness
from bot.core.ports import ReadTools
from bot.core.side_by_side import each
from handlers.offline_look import DAY, span
from handlers.offline_tokens import CURE, Place, Settings
from handlers.offline_verdict import ABSENT, Looked, look

BEFORE = (1, 3, 7)  # days before its end at which people are told


def inventory(settings: Settings, tools: ReadTools) -> tuple[Credential, ...]:
    """Each place of the settings. A token ends `idle_days` after it was last refreshed, as far as that can be known."""
    names = tuple(settings.places)
    looked = each(lambda name: look(name, untried(settings.places[name]), settings, tools), names)
    return tuple(_credential(name, one, settings, tools) for name, one in zip(names, looked, strict=True))


def untried(place: Place) -> Place:
    """A look that comes by itself every few minutes uses no token."""
    return place.model_copy(update={"probe": "step"})


def _credential(name: str, looked: Looked | Told, settings: Settings, tools: ReadTools) -> Credential:
    if isinstance(looked, Told):
        return Credential(name=name, state="unknown", told=str(looked)[:300])
    offer = Offer(label=f"Fix {name}"[:75], command=CURE, ask={"place": name})
    if looked.why is not None:
        gone: Freshness = "missing" if looked.why == ABSENT else "degraded"
        return Credential(name=name, state=gone, told=looked.state(tools.now())[:300], offer=offer, alarm="unusable")
    ends = None if looked.used_at is None else looked.used_at + settings.idle_days * DAY
    if looked.refused_at is not None:
        ago = span(tools.now() - looked.refused_at)
        told = f"Red Hat SSO refused the token {ago} ago; whoever owns it brings a new one."
        return Credential(
            name=name, state="degraded", written_at=looked.used_at, told=told, offer=offer, alarm="refused"
        )
    return _dated(name, looked.used_at, ends, tools.now(), offer)


def _dated(name: str, used_at: float | None, ends: float | None, now: float, offer: Offer) -> Credential:
    if ends is None:
        told = "When it was last used is not known: keep it alive once (/keep-offline-alive)."
        return Credential(name=name, state="unknown", told=told)
    left = ends - now
    if left > max(BEFORE) * DAY:
        return Credential(name=name, state="fresh", written_at=used_at, expires_at=ends)
    word = f"{next(days for days in BEFORE if left <= days * DAY)}d"
    if left <= 0:
        state: Freshness = "expired"
        told = "Not refreshed for so long that its session has probably ended: fix it."
    else:
        state, told = "due", f"Its session ends in {span(left)} if nobody uses it: keep it alive, or fix it."
    return Credential(
        name=name, state=state, written_at=used_at, expires_at=ends, told=told, offer=offer, alarm=word
    )  # fmt: skip
