"""A secret that an answer asks people for: into Vault with it, then what follows is asked for. It is in no row of ours:
if anything fails on the way, the person has it still and the bot has it no more."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa
from pydantic import ValidationError

from bot.core import ask as asks
from bot.core.errors import Refused, Told, Transient
from bot.core.handing_in import Wanted
from bot.core.intake import Outcome, Request
from bot.core.people import check_ask
from bot.core.plan import Answer
from bot.core.ports import VaultWriter
from bot.core.secret import Secret
from bot.core.view import State
from bot.engine import audit, runs
from bot.engine.matching import visible
from bot.engine.store import reading
from bot.engine.tables import run_action
from bot.engine.workshop import Workshop, failure

SHOWN = 64  # characters of foreign names in the audit
T = TypeVar("T")


class Write(Protocol):
    def __call__(self, change: Callable[[sa.Connection], T]) -> T:
        """The change in a transaction."""
        ...


@dataclass(frozen=True)
class Press:
    """Somebody gives (or signs in for) what the answer of this run wants under this name."""

    key: str
    run: str
    name: str
    user: str


def take(shop: Workshop, write: Write, press: Press, secret: Secret) -> Outcome:
    """Put it into Vault and ask for what follows, unless this press did so already."""
    with reading(shop.store) as conn:
        known, row = _known(conn, press), runs.get(conn, press.run)
    if known is not None:
        return known
    try:
        wanted = sought(shop, row, press)
        if wanted.way:
            raise Refused("That is not typed in: one signs in for it.", "Press the button of the message.")
        found_out(lambda: put(shop, wanted, secret, place(press)))
    except Exception as error:  # whatever Vault's client raises is told in our words
        failed = failure(error, press.run, "Putting it into Vault")
        end = "Whether it was kept is not known: hand it in once more." if failed.unheard else "It was not kept."
        said = f"{failed.trouble.what} {failed.trouble.now} {end}".replace("  ", " ")
        return write(lambda conn: refused(conn, shop, press, "hand_in", said))
    try:
        return write(lambda conn: _taken(conn, shop, press, wanted))
    except Transient:
        what = f"It is in Vault ({wanted.into}), but /{wanted.command} could not be asked for: the store is away."
        raise Transient(what, "Hand it in once more in a minute.") from None


def sought(shop: Workshop, row: Any | None, press: Press) -> Wanted:
    """What the answer in the store wants under this name. Refused when there is no such thing, or this person may not
    ask for what follows."""
    answer = Answer.model_validate(row.answer) if row is not None and row.answer else None
    if row is None or row.state != State.ANSWERED or answer is None:
        raise Refused("That run has no answer that wants anything.", "Ask for the command again.")
    wanted = next((one for one in answer.wanted if one.name == press.name), None)
    if wanted is None:
        raise Refused("That answer does not want this.", "Look at its message.")
    if wanted.command not in shop.handlers:
        raise Refused(f"There is no command /{wanted.command} here any more.", "See /hivekeeper help.")
    if wanted.into.inside or not (ours(wanted) or wanted.way):
        raise Refused(f"Nothing can be handed in to {wanted.into}.", "The command itself is to be mended.")
    check_ask(press.user, shop.rule(wanted.command), shop.settings.groups, shop.recent.of)
    return wanted


def ours(wanted: Wanted) -> bool:
    """Is it the bot that puts it into Vault? Else the way to sign in has done so when it is over."""
    return wanted.into.system == "vault"


def place(press: Press) -> str:
    """A name for what Vault saves while this is written."""
    return f"{press.run}-{runs.hashed(press.key)[:8]}"


def put(shop: Workshop, wanted: Wanted, secret: Secret, run: str) -> None:
    """Into Vault. Nobody undoes this, so no older value is left lying about."""
    vault = vault_of(shop)
    try:
        vault.write(wanted.into.path, {wanted.into.field: secret}, run=run)
    finally:
        with suppress(Told):  # whether the new value stands is what counts
            vault.retire(wanted.into.path, run=run)


def found_out(call: Callable[[], None]) -> None:
    """The call, and once more when its answer was lost: what is done already is not done again."""
    try:
        call()
    except Transient as error:
        if not error.unheard:
            raise
        call()


def vault_of(shop: Workshop) -> VaultWriter:
    if shop.vault is None:
        raise Refused("This process has no Vault.", "Hand it in where the bot runs.")
    return shop.vault()


def follow(conn: sa.Connection, shop: Workshop, press: Press, wanted: Wanted) -> str:
    """Ask for what follows, where the answer is; the new run's id."""
    row = runs.lock(conn, press.run)
    assert row is not None, "it is kept while something of it is under way"
    request = Request(
        key=f"handed-in-{press.key}", command=wanted.command, ask=wanted.ask, text=_text(shop, wanted),
        asker=press.user, source="cli" if press.user.startswith("cli:") else "slack", channel=row.channel,
        thread=row.thread, incident=row.incident,
    )  # fmt: skip
    return runs.insert(conn, shop, request)


def settled(conn: sa.Connection, shop: Workshop, press: Press, action: str, *, told: str, led_to: str) -> None:
    """This press has had its effect: the run that came of it, and that for all to see."""
    _keep(conn, shop, press, action=action, accepted=True, told=told, led_to=led_to)
    runs.shown_anew(conn, shop, press.run)


def refused(conn: sa.Connection, shop: Workshop, press: Press, action: str, told: str) -> Outcome:
    """It was not to be: audited, and the same for the same press."""
    known = _known(conn, press)
    if known is not None:
        return known
    if runs.get(conn, press.run) is not None:
        _keep(conn, shop, press, action=action, accepted=False, told=told)
    facts = {"run": visible(press.run, SHOWN), "action": action, "name": visible(press.name, SHOWN), "told": told}
    audit.append(conn, who=press.user, what="refused_action", run=None, facts=facts, at=shop.clock())
    return Outcome(accepted=False, told=told, run=press.run)


def _taken(conn: sa.Connection, shop: Workshop, press: Press, wanted: Wanted) -> Outcome:
    known = _known(conn, press)
    if known is not None:
        return known
    new = follow(conn, shop, press, wanted)
    told = f"It is in Vault now, and nowhere else: {wanted.into}. /{wanted.command} was asked for as {new}."
    settled(conn, shop, press, "hand_in", told=told, led_to=new)
    facts = {"name": wanted.name, "into": str(wanted.into), "by": new}
    audit.append(conn, who=press.user, what="handed_in", run=press.run, facts=facts, at=shop.clock())
    return Outcome(accepted=True, told=told, run=new)


def _known(conn: sa.Connection, press: Press) -> Outcome | None:
    """What became of this press, if it is not the first time."""
    row = conn.execute(sa.select(run_action).where(run_action.c.key == runs.hashed(press.key))).first()
    return None if row is None else Outcome(accepted=row.accepted, told=row.told, run=row.led_to or row.run)


def _keep(
    conn: sa.Connection, shop: Workshop, press: Press, *, action: str, accepted: bool, told: str,
    led_to: str | None = None,
) -> None:  # fmt: skip
    conn.execute(
        run_action.insert().values(
            key=runs.hashed(press.key), run=press.run, user=press.user, action=action,
            step=press.name if accepted else visible(press.name, SHOWN), at=shop.clock(), accepted=accepted, told=told,
            led_to=led_to,
        )
    )  # fmt: skip


def _text(shop: Workshop, wanted: Wanted) -> str:
    """What somebody would have typed for it."""
    handler = shop.handlers[wanted.command]
    try:
        return asks.spell(handler.ask.model_validate(wanted.ask), handler)
    except ValidationError:  # planning says so
        return ""
