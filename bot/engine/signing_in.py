"""Sign-ins that a person does in a browser: begun by a press, asked about until they end, then what came of them is put
into Vault and what follows is asked for.

A sign-in is a row. Whoever asks about it takes the row for a while by moving its next time, so that of several replicas
one asks. What came of it is in no row: only its fingerprint is, by which it is known again in Vault after a crash.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from bot.core.errors import Refused, Told, Transient
from bot.core.handing_in import Invitation, Invited, Wanted
from bot.core.intake import Outcome
from bot.core.ports import Place, Tools
from bot.core.secret import Secret
from bot.core.side_by_side import each
from bot.engine import audit, handing_in, outbox, runs
from bot.engine.durable import Halt
from bot.engine.handing_in import Press, Write
from bot.engine.store import reading, writing
from bot.engine.tables import sign_in
from bot.engine.workshop import Workshop, failure, log

PERIOD = 1.0  # seconds between two looks at what is due
LEASE = 60.0  # seconds that asking may take, with all its waiting for an answer
PUTTING = 300.0  # seconds that putting it into Vault may take
GRACE = 60.0  # seconds after its end in which it is still asked about, while nobody answers
BATCH = 50
AT_ONCE = 8
EASIEST = 2.0  # seconds between two questions, at least


def begin(shop: Workshop, write: Write, press: Press) -> Outcome:
    """The invitation to sign in: the one that this person has already, or a new one."""
    with reading(shop.store) as conn:
        known, row = _known(conn, shop, press), runs.get(conn, press.run)
    if known is not None:
        return known
    try:
        wanted = handing_in.sought(shop, row, press)
        if not wanted.way:
            raise Refused("One does not sign in for that: it is handed in.", "Press the button of the message.")
        tools = _tools(shop)
        invitation = tools.sign_ins.start(wanted.way)
        device = tools.seal.close(invitation.device)
    except Exception as error:  # whatever a client raises is told in our words
        told = failure(error, press.run, "Beginning to sign in").trouble
        return write(lambda conn: handing_in.refused(conn, shop, press, "sign_in", f"{told.what} {told.now}".strip()))
    return write(lambda conn: _begun(conn, shop, press, wanted, invitation=invitation, device=device))


def _begun(
    conn: sa.Connection, shop: Workshop, press: Press, wanted: Wanted, *, invitation: Invitation, device: str
) -> Outcome:  # fmt: skip
    """Stored, unless a press of the same person was quicker. IntegrityError when that one is not seen yet."""
    known = _known(conn, shop, press)
    if known is not None:
        return known
    now, every = shop.clock(), max(invitation.every, EASIEST)
    # One that is over, if not yet told; not one that waits and came between the look and this.
    over = sa.or_(sign_in.c.state != "waiting", sign_in.c.expires_at <= now)
    conn.execute(sign_in.update().where(sign_in.c.live == live(press), over).values(live=None))
    conn.execute(
        sign_in.insert().values(
            id=runs.hashed(press.key), run=press.run, name=press.name, user=press.user, live=live(press),
            state="waiting", way=wanted.way, link=invitation.link, code=invitation.code, device=device, began_at=now,
            expires_at=invitation.expires_at, every=every, next_poll_at=now + every,
        )
    )  # fmt: skip
    facts = {"name": wanted.name, "way": wanted.way, "into": str(wanted.into)}
    audit.append(conn, who=press.user, what="sign_in_begun", run=press.run, facts=facts, at=now)
    return _invited(conn.execute(sa.select(sign_in).where(sign_in.c.live == live(press))).one(), now)


def live(press: Press) -> str:
    return f"{press.run}/{press.user}/{press.name}"


def _known(conn: sa.Connection, shop: Workshop, press: Press) -> Outcome | None:
    """The sign-in of this person that waits, or what became of the one that this press has begun."""
    waits = sign_in.c.live == live(press), sign_in.c.state == "waiting", sign_in.c.expires_at > shop.clock()
    row = conn.execute(sa.select(sign_in).where(*waits)).first()
    if row is not None:
        return _invited(row, shop.clock())
    row = conn.execute(sa.select(sign_in).where(sign_in.c.id == runs.hashed(press.key))).first()
    if row is None:
        return None
    return Outcome(accepted=row.state == "done", told=row.told or "That sign-in is over.", run=row.run)


def _invited(row: Any, now: float) -> Outcome:
    told = "Open the link, compare the code and sign in there. What comes of it goes straight into Vault."
    invited = Invited(link=row.link, code=row.code, until=row.expires_at, left=row.expires_at - now)
    return Outcome(accepted=True, told=told, run=row.run, invited=invited)


def _tools(shop: Workshop) -> Tools:
    if shop.tools is None:
        raise Refused("One signs in from Slack.", "Press the button of the message there.")
    return shop.tools


# --- asking whether it is done ------------------------------------------------------------------------------


def keep_asking(shop: Workshop) -> None:
    """Ask about the sign-ins that are due until this process stops."""
    while not shop.stopping.wait(PERIOD):
        try:
            tick(shop)
        except (Transient, Halt):
            continue  # the store is away, or we stop: the rows wait
        except Exception as error:
            log.error("asking about sign-ins failed", error=type(error).__name__)


def tick(shop: Workshop) -> None:
    """Ask about those that are due, each once over all replicas. Transient when the store is away."""
    due = sa.select(sign_in).where(sign_in.c.next_poll_at <= shop.clock()).order_by(sign_in.c.next_poll_at)
    with reading(shop.store) as conn:
        rows = conn.execute(due.limit(BATCH)).all()
    each(lambda row: _attend(shop, row), rows, at_most=AT_ONCE)


def _attend(shop: Workshop, row: Any) -> None:
    taken = _move(shop, row, shop.clock() + LEASE)
    if taken is None:
        return
    try:
        if taken.mark is not None:
            _find_again(shop, taken)
        else:
            _ask(shop, taken)
    except Transient as error:
        _later(shop, taken, error.after)
    except Exception as error:  # whatever a client raises is told in our words
        told = failure(error, taken.run, "Signing in").trouble
        _end(shop, taken, "denied" if isinstance(error, Refused) else "failed", f"{told.what} {told.now}".strip())


def _ask(shop: Workshop, row: Any) -> None:
    tools = _tools(shop)
    secret = tools.sign_ins.poll(row.way, tools.seal.open(row.device))
    if secret is not None:
        _put(shop, row, secret)
    elif shop.clock() >= row.expires_at:
        _end(shop, row, "expired", "Nobody signed in in time. Press the button again for a new link.")
    else:
        _later(shop, row, None)


def _later(shop: Workshop, row: Any, wish: float | None) -> None:
    """Ask again when it is time, or give up: nobody answers, and it is over by now anyway."""
    now = shop.clock()
    if row.mark is None and now >= row.expires_at + GRACE:
        _end(shop, row, "expired", "It could not be asked whether you had signed in. Press the button again.")
    else:
        _move(shop, row, now + max(row.every, wish or 0.0))


def _put(shop: Workshop, row: Any, secret: Secret) -> None:
    """What came of it, into Vault; its fingerprint first, so that a crash in between is seen for what it is."""
    mark = _tools(shop).fingerprints.of(secret)
    taken = _move(shop, row, shop.clock() + PUTTING, mark=mark)
    if taken is None:
        return
    try:
        wanted = _wanted(shop, taken)
        if handing_in.ours(wanted):
            shop.patiently(lambda: handing_in.put(shop, wanted, secret, handing_in.place(_press(taken))))
    except Told as error:
        what = f"You have signed in, but what came of it could not be put into Vault. {error} Then sign in once more."
        _end(shop, taken, "failed", what)
        return
    _finish(shop, taken, wanted)


def _find_again(shop: Workshop, row: Any) -> None:
    """The bot stopped while it put this into Vault: is it there?"""
    wanted = _wanted(shop, row)
    if not handing_in.ours(wanted):
        _finish(shop, row, wanted)
        return
    found = handing_in.vault_of(shop).find(wanted.into.path, wanted.into.field)
    if found is not None and _tools(shop).fingerprints.of(found) == row.mark:
        _finish(shop, row, wanted)
    else:
        _end(shop, row, "failed", "The bot was stopped just when you had signed in. Please sign in once more.")


def _wanted(shop: Workshop, row: Any) -> Wanted:
    stored = shop.read(lambda conn: runs.get(conn, row.run))
    return handing_in.sought(shop, stored, _press(row))


def _press(row: Any) -> Press:
    return Press(f"sign-in-{row.id}", row.run, row.name, row.user)


def _move(shop: Workshop, row: Any, until: float, mark: str | None = None) -> Any | None:
    """Take the row until then; the row as it is now, or None when somebody else has it."""
    values = {"next_poll_at": until} | ({} if mark is None else {"mark": mark})

    with writing(shop.store) as conn:
        return conn.execute(sign_in.update().where(*_still(row)).values(**values).returning(sign_in)).first()


def _still(row: Any) -> tuple[sa.ColumnElement[bool], ...]:
    return sign_in.c.id == row.id, sign_in.c.state == "waiting", sign_in.c.next_poll_at == row.next_poll_at


# --- how it ends --------------------------------------------------------------------------------------------


def _finish(shop: Workshop, row: Any, wanted: Wanted) -> None:
    def change(conn: sa.Connection) -> None:
        if not _over(conn, row, "done", "You are signed in, and what follows was asked for."):
            return
        new = handing_in.follow(conn, shop, _press(row), wanted)
        told = f"You are signed in; it is in Vault now: {wanted.into}. /{wanted.command} was asked for as {new}."
        handing_in.settled(conn, shop, _press(row), "sign_in", told=told, led_to=new)
        facts = {"name": row.name, "into": str(wanted.into), "by": new}
        audit.append(conn, who=row.user, what="signed_in", run=row.run, facts=facts, at=shop.clock())
        _tell(conn, shop, row, told)

    shop.write(change)


def _end(shop: Workshop, row: Any, state: str, told: str) -> None:
    """It came to nothing; the person hears why."""

    def change(conn: sa.Connection) -> None:
        if _over(conn, row, state, told):
            facts = {"name": row.name, "state": state, "told": told}
            audit.append(conn, who=row.user, what="sign_in_failed", run=row.run, facts=facts, at=shop.clock())
            _tell(conn, shop, row, f"The sign-in of run {row.run} is over. {told}")

    shop.write(change)


def _over(conn: sa.Connection, row: Any, state: str, told: str) -> bool:
    """True for one caller."""
    values = {"state": state, "live": None, "device": None, "next_poll_at": None, "told": told, "link": "", "code": ""}
    return conn.execute(sign_in.update().where(*_still(row)).values(**values)).rowcount == 1


def _tell(conn: sa.Connection, shop: Workshop, row: Any, text: str) -> None:
    """To this person alone, in a direct message."""
    name = f"sign-in-{row.id[:16]}"
    outbox.note(conn, run=row.run, name=name, text=text, mention=(), due=shop.clock(), at=Place(channel=row.user))
