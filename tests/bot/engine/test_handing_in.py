"""Handing a secret in: into Vault and nowhere else, by who may, once; then what follows is asked for."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from bot.core.errors import Refused, Transient
from bot.core.people import Group
from bot.core.secret import Secret, SecretRef
from bot.core.view import State
from bot.engine import audit, handing_in, runs


def only(bench: Any, *users: str) -> None:
    """From now on only these may ask for /world."""
    command = bench.shop.settings.commands["world"].model_copy(update={"ask": ("few",)})
    groups = bench.shop.settings.groups | {"few": Group(users=users)}
    parts = {"commands": {"world": command}, "groups": groups}
    object.__setattr__(bench.shop, "settings", bench.shop.settings.model_copy(update=parts))


def test_it_goes_into_vault_and_what_follows_is_asked_for(wanting: Any) -> None:
    """For who handed it in, where the answer is; the store, the log and the audit hold nothing of it (canary)."""
    bench, run, token = wanting.bench, wanting.answered(), wanting.canary("token")
    outcome = wanting.hand_in("press", run, token, user="U3")
    assert outcome.accepted, outcome.told
    assert wanting.held == token
    assert outcome.run in outcome.told
    assert str(wanting.INTO) in outcome.told
    new, old = bench.plan(outcome.run), bench.see(run)
    assert (new.asker, new.source, new.state, new.channel) == ("U3", "slack", State.PROPOSED, old.channel)
    assert new.text
    assert [(one.name, one.user, one.run, one.signed_in) for one in old.handed_in] == [("token", "U3", new.id, False)]
    (entry,) = [one for one in bench.desk.audit(limit=100) if one.what == "handed_in"]
    assert entry.who == "U3"
    assert entry.facts == {"name": "token", "into": str(wanting.INTO), "by": new.id}
    assert audit.verify(bench.shop.store).ok


def test_the_message_is_shown_anew(wanting: Any) -> None:
    """So that everybody sees that it was handed in, and by whom."""
    run = wanting.answered()
    before = wanting.bench.see(run).revision
    wanting.hand_in("press", run, "made-up")
    assert wanting.bench.see(run).revision == before + 1


def test_nothing_older_is_left_beside_it(wanting: Any) -> None:
    """What Vault saves before a write is of no use here, and is removed."""
    wanting.hand_in("one", wanting.answered(), "made-up")
    assert wanting.safe.writes == 1
    assert wanting.safe.backups == set()


@pytest.mark.parametrize("error", [Transient("Vault is away.", unheard=True), Refused("Vault said no.")])
def test_nor_when_it_could_not_be_written(error: Exception, wanting: Any) -> None:
    """What was saved before a write that failed would lie there for ever: nobody undoes that."""
    wanting.safe.trouble = [error, error]
    assert not wanting.hand_in("one", wanting.answered(), "made-up").accepted
    assert wanting.safe.backups == set()


def test_a_lost_answer_is_found_out(wanting: Any) -> None:
    """It is in Vault: who handed it in is not told otherwise."""
    wanting.safe.lost = [Transient("Vault did not answer within 10 s.", unheard=True)]
    outcome = wanting.hand_in("one", wanting.answered(), "made-up")
    assert outcome.accepted, outcome.told
    assert (wanting.held, wanting.safe.writes) == ("made-up", 1)


def test_what_nobody_knows_is_not_told(wanting: Any) -> None:
    """Vault may still write it: "not kept" would be a guess."""
    wanting.safe.trouble = [Transient("Vault did not answer.", "Look at it.", unheard=True)] * 2
    outcome = wanting.hand_in("one", wanting.answered(), "made-up")
    assert outcome.told == "Vault did not answer. Look at it. Whether it was kept is not known: hand it in once more."


def test_the_same_press_again_is_the_same_outcome(wanting: Any) -> None:
    """Slack sends a form twice: nothing is written again, and nothing asked for again; a refusal stays one, too."""
    run = wanting.answered()
    first = wanting.hand_in("press", run, "made-up")
    assert wanting.hand_in("press", run, "made-up") == first
    assert (wanting.safe.writes, len(wanting.bench.desk.runs())) == (1, 2)
    refused = wanting.hand_in("other", run, "made-up", name="nothing")
    assert wanting.hand_in("other", run, "made-up", name="nothing") == refused
    assert wanting.bench.audited().count("refused_action") == 1


def test_forms_that_come_at_one_instant_ask_once(wanting: Any) -> None:
    """Eight deliveries of one form."""
    run, outcomes = wanting.answered(), []
    start = threading.Barrier(8)

    def deliver() -> None:
        start.wait()
        outcomes.append(wanting.hand_in("press", run, "made-up"))

    threads = [threading.Thread(target=deliver) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({(one.accepted, one.run) for one in outcomes}) == 1
    assert len(outcomes) == 8
    assert len(wanting.bench.desk.runs()) == 2


@pytest.mark.parametrize(
    ("run", "name", "words"),
    [
        ("r-nothing", "token", "no answer that wants anything"),
        (None, "nothing", "does not want this"),
        (None, "sign-in", "one signs in for it"),
    ],
)
def test_what_the_store_does_not_know_is_not_taken(wanting: Any, run: str | None, name: str, words: str) -> None:
    """Whatever a form says: the answer in the store counts. Vault is not touched; the refusal is audited."""
    answered = wanting.answered()
    outcome = wanting.hand_in("press", run or answered, wanting.canary("token"), name=name)
    assert not outcome.accepted
    assert words in outcome.told
    assert "not kept" in outcome.told
    assert wanting.safe.writes == 0
    assert wanting.bench.audited().count("refused_action") == 1


def test_a_run_that_waits_wants_nothing(wanting: Any) -> None:
    """A proposal has no answer."""
    outcome = wanting.hand_in("press", wanting.bench.proposal().id, "made-up")
    assert "no answer that wants anything" in outcome.told


def test_only_who_may_ask_for_what_follows_may_hand_in(wanting: Any) -> None:
    """By the rule as it is now; nothing of what the other person typed gets into Vault."""
    run = wanting.answered()
    only(wanting.bench, "U7")
    outcome = wanting.hand_in("press", run, wanting.canary("token"))
    assert not outcome.accepted
    assert "may not ask" in outcome.told
    assert wanting.held is None
    assert wanting.hand_in("other", run, "made-up", user="U7").accepted


@pytest.mark.parametrize("error", [Transient("Vault is sealed.", "Unseal it."), Refused("Vault said no.", "Ask.")])
def test_when_vault_does_not_take_it_nothing_is_kept_and_nothing_asked(wanting: Any, error: Exception) -> None:
    """The person hears why; the message shows nothing; pressing anew works."""
    run = wanting.answered()
    wanting.safe.trouble = [error]
    outcome = wanting.hand_in("press", run, wanting.canary("token"))
    assert not outcome.accepted
    assert outcome.told == f"{error} It was not kept."
    assert wanting.held is None
    assert wanting.bench.see(run).handed_in == ()
    assert len(wanting.bench.desk.runs()) == 1
    assert wanting.hand_in("again", run, "made-up").accepted


def test_a_foreign_error_is_told_by_its_class_only(wanting: Any) -> None:
    """Its text may be the secret itself."""
    run, token = wanting.answered(), wanting.canary("token")
    wanting.safe.trouble = [ValueError(f"cannot write {token}")]
    outcome = wanting.hand_in("press", run, token)
    assert "ValueError" in outcome.told
    assert token not in outcome.told


def test_a_place_that_is_none_in_vault_is_refused(wanting: Any) -> None:
    """A field inside a document is a step's work."""
    wanting.INTO = SecretRef(path="kv/handed-in", field="config", inside=("token",))
    outcome = wanting.hand_in("press", wanting.answered(), "made-up")
    assert "Nothing can be handed in to" in outcome.told
    assert wanting.safe.writes == 0


def test_a_command_that_is_gone_is_told(wanting: Any) -> None:
    """Before anything is written."""
    run = wanting.answered()
    object.__setattr__(wanting.bench.shop, "handlers", {})
    assert "no command /world here any more" in wanting.hand_in("press", run, "made-up").told
    assert wanting.safe.writes == 0


def test_a_process_without_a_vault_says_so(wanting: Any) -> None:
    """Instead of asking for what would find nothing."""
    run = wanting.answered()
    object.__setattr__(wanting.bench.shop, "vault", None)
    assert "no Vault" in wanting.hand_in("press", run, "made-up").told
    assert len(wanting.bench.desk.runs()) == 1


def test_who_is_at_the_terminal_is_known_as_such(wanting: Any) -> None:
    """The command line hands in, too."""
    outcome = wanting.hand_in("press", wanting.answered(), "made-up", user="cli:kim")
    row = wanting.bench.shop.read(lambda conn: runs.get(conn, outcome.run))
    assert (row.asker, row.source) == ("cli:kim", "cli")


def test_a_store_that_goes_away_after_vault_has_it_is_told_as_that(wanting: Any) -> None:
    """Not as if nothing had happened; handing it in once more brings it to its end."""
    run = wanting.answered()

    def away(change: Any) -> Any:
        raise Transient("The store did not answer.", "Nothing was changed.")

    press = handing_in.Press("press", run, "token", "U1")
    with pytest.raises(Transient, match=r"It is in Vault .* Hand it in once more"):
        handing_in.take(wanting.bench.shop, away, press, Secret(wanting.canary("token")))
    assert wanting.held is not None
    assert wanting.hand_in("again", run, "made-up").accepted
    assert len(wanting.bench.desk.runs()) == 2
