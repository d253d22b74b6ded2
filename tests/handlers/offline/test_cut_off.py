"""A run that is cut off anywhere goes on to the same end; what was given in a token's place is never thrown away."""

from __future__ import annotations

from typing import Any

import pytest

from bot.core.errors import Refused, Transient

CONFIG, PRODUCTION, INBOX = "sd-uhc/sandbox", "app-sre/ocm", "sd-uhc/hivekeeper-inbox"


class Cut(BaseException):
    """The process ends."""


def cut_at(world: Any, nth: int) -> list[str]:
    """The process ends before its nth write to Vault, counted from zero; the writes that were made."""
    vault = world.tools.vault
    made: list[str] = []
    whole = vault.write

    def write(path: str, values: Any, *, run: str) -> None:
        if len(made) == nth:
            made.append("cut")
            raise Cut
        made.append(path)
        whole(path, values, run=run)

    vault.write = write
    return made


@pytest.mark.parametrize("rotating", [False, True])
@pytest.mark.parametrize("nth", range(6))
def test_cut_off_before_any_write(world: Any, nth: int, rotating: bool) -> None:
    """Whichever write it was that did not happen: carried on, both places hold the same token and it is good. Where
    tokens are spent, the tool's memory of the realm's answer stands for a bot that is cut off but not restarted."""
    realm = next(iter(world.realms.values())).model_copy(update={"least_seconds_between_probes": 60.0})
    world.realms["redhat"] = realm
    world.realm.rotate(rotating)
    plan = world.plan()
    whole = world.tools.vault.write
    made = cut_at(world, nth)
    try:
        world.apply(plan)
    except Cut:
        world.tools.vault.write = whole
        world.apply(plan)
    world.keep("kept", world.token())
    assert world.there() == world.token()
    assert ("cut" in made) == (nth < (5 if rotating else 2))
    assert world.good(world.token())


def test_cut_off_between_two_places(world: Any) -> None:
    """The new token is in one place only: the newest is used, and brought to the other."""
    world.apply(world.plan())
    world.realm.rotate()
    world.ahead = 7 * 86400
    plan = world.alive()
    (step,) = (step for _, _, step in plan.steps)
    world.realm.off = 5  # the next tokens are newer by the clock
    spent = world.keep("spent", world.realm.sessions.refresh(world.new, "cloud-services")[1])
    world.change(PRODUCTION, token=spent)
    step.do(world.tools, world.run)
    world.keep("kept", world.token())
    assert step.done(world.read_tools)
    assert world.there() == world.token()
    assert world.good(world.token())


def test_a_place_that_refuses(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Production's path may not be written: the new token waits in the inbox, and a plan goes on from there."""
    world.realm.rotate()
    plan, whole = world.plan(), world.tools.vault.write
    world.change(INBOX, **{"ocm-ci": world.keep("before", world.realm.offline_token("somebody"))})

    def write(path: str, values: Any, *, run: str) -> None:
        if path == PRODUCTION:
            raise Refused("Vault refused to write there (403).", "Ask for the right.")
        whole(path, values, run=run)

    monkeypatch.setattr(world.tools.vault, "write", write)
    with pytest.raises(Refused, match="could not be kept") as told:
        world.apply(plan)
    assert "cure=inbox" in told.value.now
    assert world.vault.get(f"{INBOX}-before-run-1") is None
    waits = world.keep("waits", world.there(INBOX, "ocm-ci"))
    world.apply(world.plan(cure="inbox"))
    world.keep("kept", world.token())
    assert world.token() != waits
    assert world.good(world.token())


@pytest.mark.parametrize("second", [Refused("No (403).", "Ask."), Transient("Vault did not answer.", "Wait.")], ids=str)
def test_every_place_refuses(world: Any, second: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even the inbox takes it: both are told, and that the bot still has the token; once Vault takes it the same
    plan goes on to the end."""
    world.realm.rotate()
    plan, whole = world.plan(), world.tools.vault.write

    def write(path: str, values: Any, *, run: str) -> None:
        raise second if path == INBOX else Refused(f"Vault refused to write {path} (403).", "Ask for the right.")

    monkeypatch.setattr(world.tools.vault, "write", write)
    with pytest.raises(Refused, match="neither in its place nor in") as told:
        world.apply(plan)
    assert "leave it running" in told.value.now
    assert PRODUCTION in told.value.what
    monkeypatch.setattr(world.tools.vault, "write", whole)
    world.apply(plan)
    world.keep("kept", world.token())
    assert world.there() == world.token()
    assert world.good(world.token())


@pytest.mark.parametrize("nth", [0, 2])
def test_vault_is_away_for_longer_than_a_probe_is_remembered(
    world: Any, nth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The realm has spent the old token; whoever asks again for it, however often, gets its successor to keep."""
    world.realm.rotate()
    plan, whole, made = world.plan(), world.tools.vault.write, []

    def write(path: str, values: Any, *, run: str) -> None:
        made.append(path)
        if nth < len(made) <= nth + 3:
            raise Transient("Vault did not answer.", "It is tried again.", after=2.0, unheard=True)
        whole(path, values, run=run)

    monkeypatch.setattr(world.tools.vault, "write", write)
    for _ in range(3):
        with pytest.raises(Transient, match=r"could not be kept in .* yet: Vault did not answer") as told:
            world.apply(plan)
        assert "leave it running" in told.value.now
        assert (told.value.after, told.value.unheard) == (2.0, True)
    world.apply(plan)
    world.keep("kept", world.token())
    assert world.there() == world.token()
    assert world.good(world.token())


@pytest.mark.parametrize("state", [500, 503, 429, "html", "empty"])
def test_trouble_of_the_realm_is_no_verdict(world: Any, state: Any) -> None:
    """Errors, pages and nothing at all: tried again, never "invalid"; nothing is written."""
    plan, before = world.plan(), world.vault.get(CONFIG)
    world.realm.state = state
    with pytest.raises(Transient):
        world.apply(plan)
    assert world.vault.get(CONFIG) == before


def test_a_wrong_clock_is_no_verdict(world: Any) -> None:
    """The realm says that the token is not active, and its clock is another than the bot's: the clock is told."""
    plan = world.plan()
    world.realm.off = 3600
    world.realm.refusal = (400, "invalid_grant", "Token is not active")
    with pytest.raises(Refused, match="clock"):
        world.apply(plan)
