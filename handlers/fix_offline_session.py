"""/fix-offline-session: bring a good offline token to where the CI reads one (runbook beside this file).

Production gets a recycled token by itself; the CI's sandbox does not, and its jobs fail with "Offline user session not
found". Where a token may come from: production, a person, or nowhere, when a service account takes its place.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bot.core.errors import Refused
from bot.core.handler import Ask, Handler
from bot.core.plan import Answer, Plan
from bot.core.ports import ReadTools
from bot.core.secret import SecretRef
from handlers.offline_account import take_over
from handlers.offline_cure import bring, refresh
from handlers.offline_look import held, older, unfit
from handlers.offline_state import inventory
from handlers.offline_steps import AccountLogsIn, RefreshToken, SameSession, TakeToken, TryToken
from handlers.offline_tokens import CURE, Settings, chosen, needs
from handlers.offline_told import all_well, hand_in, owner_first, report, which
from handlers.offline_verdict import Looked, look
from handlers.steps import FieldIs, PatchDocument

Cure = Literal["auto", "production", "hand", "sign-in", "inbox", "service-account"]


class FixOfflineSession(Ask):
    """What a person types after /fix-offline-session."""

    place: str = Field(
        default="", max_length=60, description="Which offline token; the only one of the settings if left out.",
        json_schema_extra={"positional": True},
    )  # fmt: skip
    cure: Cure = Field(
        default="auto",
        description="Where a good one comes from: production's copy, a person (hand, sign-in), what was handed in "
        "(inbox), or a service account instead.",
    )


def plan(ask: FixOfflineSession, settings: Settings, tools: ReadTools) -> Plan | Answer:
    """Judge the token that is there, find a cure, propose it. Refused when what is asked for cannot be."""
    if not ask.place and len(settings.places) > 1:
        return which(ask.cure, settings, tools)
    name, place = chosen(settings, ask.place)
    looked = look(name, place, settings, tools)
    if ask.cure == "service-account":
        return take_over(looked, ask.model_dump(mode="json"), tools)
    if ask.cure in ("hand", "sign-in"):
        return hand_in(looked, ask.cure, tools)
    if ask.cure == "auto":
        return automatic(ask, looked, tools)
    return bring(looked, source(ask.cure, looked), ask.model_dump(mode="json"), tools)


def automatic(ask: FixOfflineSession, looked: Looked, tools: ReadTools) -> Plan | Answer:
    """Production's token when it is another one than ours; else what can be said without one."""
    asked = ask.model_dump(mode="json")
    if looked.judged is not None and looked.judged.good:
        return all_well(looked, tools)
    if looked.judged is not None and looked.judged.verdict in ("owner_disabled", "client_refused"):
        return owner_first(looked, tools)
    origin = looked.place.production
    if origin is not None and differs(looked, origin.ref, tools):
        return bring(looked, origin.ref, asked, tools)
    if looked.judged is None and looked.why is None and looked.refused_at is None:
        return refresh(looked, asked, tools)
    return hand_in(looked, "auto", tools)


def differs(looked: Looked, ref: SecretRef, tools: ReadTools) -> bool:
    """Does production have a token that may stand here, and that came after the one which stands here? A person may
    have handed that one in when production's had died already."""
    found = held(ref, tools)
    if found is None:
        return False
    if looked.found is not None and (found.mark == looked.found.mark or older(found, looked.found)):
        return False
    if looked.died_with(found):
        return False
    return unfit(found, looked.place, looked.subject, tools) is None


def source(cure: Cure, looked: Looked) -> SecretRef:
    """Where the token of this cure lies. Refused when the settings do not say."""
    if cure == "inbox":
        return looked.settings.handed_in(looked.name)
    if looked.place.production is None:
        raise Refused(
            f"The settings do not say where production has the token of {looked.name}.",
            f"Name it under commands.{CURE}.settings.places.{looked.name}.production, or ask with cure=hand.",
        )
    return looked.place.production.ref


HANDLER = Handler(
    name=CURE,
    summary="Bring a good offline token to where CI jobs read one, or put a service account in its place.",
    ask=FixOfflineSession,
    settings=Settings,
    plan=plan,
    steps=(TryToken, TakeToken, RefreshToken, AccountLogsIn, PatchDocument),
    premises=(SameSession, FieldIs),
    example="ocm-ci cure=production",
    needs=needs,
    inventory=inventory,
    report=report,
)
