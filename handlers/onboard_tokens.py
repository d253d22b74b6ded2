"""/onboard-tokens: somebody of an experiment signs in once, so that Vault gets tokens for its service from then on
(runbook beside this file)."""

from __future__ import annotations

from pydantic import Field

from bot.core.errors import Refused
from bot.core.grid import Service
from bot.core.handing_in import ELSEWHERE, Wanted
from bot.core.handler import Ask, Handler, HandlerSettings
from bot.core.plan import Answer, Note
from bot.core.ports import ReadTools
from bot.core.records import Record
from bot.core.secret import SecretRef
from handlers.managed_records import BROUGHT, said, signs_in, trouble, troubles
from handlers.managed_tokens import ONBOARD, PUSH, Name, chosen, inventory, listed


class Settings(HandlerSettings):
    """Nothing is to be set."""


class OnboardTokens(Ask):
    """What a person types after /onboard-tokens."""

    service: Name = Field(description="The service, such as dune_production.", json_schema_extra={"positional": True})


def plan(ask: OnboardTokens, settings: Settings, tools: ReadTools) -> Answer:  # noqa: ARG001  what every plan gets
    """The way to sign in for the service; what is asked for afterwards is its first push."""
    found = chosen(inventory(tools), (ask.service,))
    if len(found) != 1:
        names = listed(tuple(one.name for one in found)) or "none"
        raise Refused(f"{ask.service} is not one service but these: {names}.", "Name one of them.")
    service = found[0]
    way = f"vault/{service.name}"
    if way not in tools.sign_ins.ways():
        raise Refused(f"Nobody can sign in for {service.name} through the bot.", "Set vault_tokens in the settings.")
    return Answer(
        command=ONBOARD,
        title=f"Somebody signs in for {service.name}"[:150],
        text=(
            "Who may act for the experiment presses the button, opens the link that only they see, and approves there.",
            "Vault keeps what comes of it and gives tokens by Kerberos from then on; the bot never stores it.",
            f"Then the first push is proposed: /{PUSH} {service.name}.",
        ),
        notes=notes(service, tools),
        wanted=(wanted(service, way),),
    )


def wanted(service: Service, way: str) -> Wanted:
    return Wanted(
        name="sign-in",
        label=f"Sign in for {service.name}"[:75],
        hint=f"As someone who may act as {service.role} of {service.experiment}"[:300],
        into=SecretRef(system=ELSEWHERE, path=service.name, field="refresh_token"),
        command=PUSH,
        ask={"service": [service.name]},
        way=way,
    )


def notes(service: Service, tools: ReadTools) -> tuple[Note, ...]:
    """How it is now, so that nobody signs in for what works."""
    had = tools.records.get(BROUGHT["obtain"], service.name)
    failed = trouble(tools, "obtain", service.name) or _unstored(service, tools)
    found = [Note(label="Account", text=f"{service.account}, {service.principal}")]
    if failed is not None:
        found.append(Note(label="Now", text=said(failed)))
    elif had is not None:
        found.append(Note(label="Now", text="It works: the last token was had without a person", at=had.seen_at))
    return tuple(found)


def _unstored(service: Service, tools: ReadTools) -> Record | None:
    """HTCondor's program may be the first that finds out that a person is needed."""
    prefix = f"store:{service.name}@"
    return next((one for key, one in troubles(tools).items() if key.startswith(prefix) and signs_in(one)), None)


HANDLER = Handler(
    name=ONBOARD,
    summary="Sign in once for an experiment's service, so that Vault has tokens for it.",
    ask=OnboardTokens,
    settings=Settings,
    plan=plan,
    example="dune_production",
)
