"""The shared steps: once, only from what was approved, and back again from wherever they got to."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest

from bot.core.errors import Drifted, Transient, Unverified
from bot.core.plan import RunRef
from bot.core.secret import Secret, SecretRef
from bot.tools.documents import Base64Yaml
from handlers.hive_tokens import HIVE_FRONTEND as FRONTEND
from handlers.steps import Copy, FieldIs, listed, shown
from playground import tokens

HANDOVER, CONFIG = "sd-uhc/sandbox-tokens", "sd-uhc/sandbox"


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 4])
def test_undo_from_every_partial_state(world: Any, steps: int) -> None:
    """Whatever number of steps was done, undoing all of them leaves Vault as it was; twice is as good as once."""
    before = world.snapshot()
    plan = world.plan()
    world.apply(plan, steps)
    world.undo(plan)
    assert world.snapshot() == before
    world.undo(plan)
    assert world.snapshot() == before


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("step", [0, 1])
def test_a_write_whose_outcome_is_unknown(world: Any, step: int, moment: str) -> None:
    """Cut off right before or after the write was stored, the step can be done again or undone, to the same end."""
    before = world.snapshot()
    plan = world.plan()
    world.apply(plan, step)
    half = world.snapshot()

    def cut(path: str, when: str) -> None:
        if when == moment and "-before-" not in path:
            raise ConnectionAbortedError("the power went")

    world.vault.on_write = cut
    with pytest.raises(Transient):
        plan.steps[step][2].do(world.tools, world.run)
    world.vault.on_write = None
    assert (world.snapshot() == half) == (moment == "before")
    world.undo(plan)
    assert world.snapshot() == before
    world.apply(plan)
    assert world.config() == world.text(*world.new.values())


def test_doing_it_twice_writes_once(world: Any) -> None:
    """A step that is done again after its effect was there changes nothing, nor what was saved before it."""
    plan = world.plan()
    before = world.snapshot()
    copy = plan.steps[0][2]
    copy.do(world.tools, world.run)
    saved = world.vault.get(f"{HANDOVER}-before-run-1")
    writes = len(world.writes())
    copy.do(world.tools, world.run)
    assert len(world.writes()) == writes
    assert world.vault.get(f"{HANDOVER}-before-run-1") == saved
    copy.undo(world.tools, world.run)
    assert world.snapshot() == before


def test_retiring_removes_what_was_saved(world: Any) -> None:
    """After the retention no backup is left, and the new values stay."""
    plan = world.plan()
    world.apply(plan)
    after = world.snapshot()
    assert any("-before-run-1" in path for path in world.vault.paths()) == (world.kv == 1)
    for _, _, step in plan.steps:
        step.retire(world.tools, world.run)
    assert not any("-before-" in path for path in world.vault.paths())
    assert world.snapshot() == after


def test_a_source_that_changed(world: Any, canary: Any) -> None:
    """A token recycled again between approval and step is not written: neither into the fields nor the document."""
    plan = world.plan()
    newest = canary.add("newest", tokens.legacy("hive", "hive-frontend"))
    world.change(FRONTEND.source, token=newest)
    for step in (plan.steps[0][2], plan.steps[1][2]):
        with pytest.raises(Drifted, match="has changed since the plan was shown") as caught:
            step.do(world.tools, world.run)
        assert FRONTEND.source in str(caught.value)
    assert world.writes() == []


def test_a_source_that_is_gone(world: Any) -> None:
    """A source that was removed is drift too."""
    plan = world.plan()
    world.vault.put(FRONTEND.source, {"other": "x"})
    with pytest.raises(Drifted):
        plan.steps[0][2].do(world.tools, world.run)


def test_a_target_that_changed(world: Any, canary: Any) -> None:
    """A field or a document that somebody else has changed since is not overwritten, and undoing leaves it too."""
    plan = world.plan()
    world.change(HANDOVER, **{FRONTEND.handover_field: canary("by hand")})
    world.put_config(world.config() + "more: 1\n")
    changed = world.snapshot()
    for place, path in ((0, HANDOVER), (1, CONFIG)):
        with pytest.raises(Drifted, match=f"{path} "):
            plan.steps[place][2].do(world.tools, world.run)
    world.undo(plan)
    assert world.snapshot() == changed


def test_a_document_that_would_become_another_than_approved_is_not_written(world: Any) -> None:
    """Code of another version may put values in otherwise, with the same values in it: then nothing is written."""
    plan = world.plan()
    world.apply(plan, 1)
    before = world.snapshot()

    class Otherwise(Base64Yaml):
        def replace(self, document: Secret, values: Any) -> Secret:
            made = base64.b64decode(super().replace(document, values).reveal())
            return Secret(base64.b64encode(made + b"# tidied\n").decode())

    tools = replace(world.tools, documents=Otherwise())
    with pytest.raises(Drifted, match="would not become what was approved"):
        plan.steps[1][2].do(tools, world.run)
    assert world.snapshot() == before


def test_undo_leaves_a_field_that_somebody_else_set(world: Any, canary: Any) -> None:
    """Of two fields we wrote, one was set again by somebody: the other goes back, that one stays."""
    plan = world.plan()
    before = world.vault.get(HANDOVER)
    copy = plan.steps[0][2]
    copy.do(world.tools, world.run)
    by_hand = canary("by hand")
    world.change(HANDOVER, **{FRONTEND.handover_field: by_hand})
    copy.undo(world.tools, world.run)
    assert world.vault.get(HANDOVER) == before | {FRONTEND.handover_field: by_hand}


def test_undo_never_overwrites_somebody_elses_document(world: Any) -> None:
    """The config with our tokens was edited since: undoing refuses, says where the old one is, and changes nothing."""
    plan = world.plan()
    world.apply(plan, 2)
    world.put_config(world.config() + "more: 1\n")
    edited = world.snapshot()
    with pytest.raises(Drifted, match="changed by someone else during run run-1") as caught:
        plan.steps[1][2].undo(world.tools, world.run)
    assert f"{CONFIG}-before-run-1" in caught.value.now
    assert world.snapshot() == edited


@pytest.mark.parametrize("left", ["%%%", None])
def test_undo_with_a_document_that_is_not_ours(world: Any, left: str | None) -> None:
    """A config that somebody broke or removed since holds nothing of ours, so there is nothing to take back."""
    plan = world.plan()
    world.apply(plan, 2)
    world.vault.put(CONFIG, {"user": "ci"} if left is None else {"config": left})
    before = world.snapshot()
    plan.steps[1][2].undo(world.tools, world.run)
    assert world.snapshot() == before


def test_the_backup_is_gone(world: Any) -> None:
    """If what was there before can no longer be found, undoing says so and changes nothing."""
    plan = world.plan()
    world.apply(plan, 1)
    held = world.vault.get(HANDOVER)
    for path in [p for p in world.vault.paths() if "-before-" in p]:
        world.vault.put(path, {})
    if world.kv == 2:
        for _ in range(12):  # more versions than Vault keeps
            world.vault.put(HANDOVER, held)
    with pytest.raises(Drifted):
        plan.steps[0][2].undo(world.tools, world.run)
    assert world.vault.get(HANDOVER) == held


def test_the_proof_fails(world: Any) -> None:
    """A token that the cluster stopped accepting fails the proof in words, and all can be put back."""
    before = world.snapshot()
    plan = world.plan()
    world.apply(plan, 2)
    world.cluster.revoke(world.new["hive-frontend"])
    proof = plan.steps[2][2]
    assert not proof.done(world.read_tools)
    with pytest.raises(Unverified, match="hive-integration") as caught:
        proof.do(world.tools, world.run)
    assert caught.value.__cause__ is None
    world.undo(plan)
    assert world.snapshot() == before


def test_the_proof_finds_somebody_else(world: Any) -> None:
    """A token that the cluster takes for another account is no proof."""
    plan = world.plan()
    world.apply(plan, 2)
    world.cluster.accept(world.new["hive-frontend"], "system:serviceaccount:hive:other")
    proof = plan.steps[2][2]
    assert not proof.done(world.read_tools)
    with pytest.raises(Unverified, match="someone other than system:serviceaccount:hive:hive-frontend"):
        proof.do(world.tools, world.run)


def test_the_proof_is_about_the_new_token(world: Any) -> None:
    """That the old token is still accepted proves nothing, and the cluster is not even asked."""
    for name, account in (("hive-frontend", FRONTEND),):
        world.cluster.accept(world.old[name], account.expected.subject)
    plan = world.plan()
    asked = len(world.cluster.log)
    assert not plan.steps[2][2].done(world.read_tools)
    assert len(world.cluster.log) == asked
    with pytest.raises(Drifted):
        plan.steps[2][2].do(world.tools, world.run)


@pytest.mark.parametrize("world", [1], indirect=True)
def test_a_sealed_vault(world: Any) -> None:
    """While Vault is sealed every verb says so in our words; afterwards the same plan goes on."""
    plan = world.plan()
    world.vault.sealed = True
    copy = plan.steps[0][2]
    for verb in (
        lambda: copy.done(world.read_tools),
        lambda: copy.do(world.tools, world.run),
        lambda: copy.undo(world.tools, world.run),
    ):
        with pytest.raises(Transient, match="sealed"):
            verb()
    world.vault.heal()
    world.apply(plan)


@pytest.mark.parametrize("world", [1], indirect=True)
def test_what_steps_and_premises_say(world: Any) -> None:
    """Each says in one line what it does to which place, and every step can be undone."""
    plan = world.plan()
    says = [step.says() for _, _, step in plan.steps]
    assert says[0] == "Write hive-frontend-token and aws-account-operator-client-token to sd-uhc/sandbox-tokens"
    assert says[1] == ("Replace hive › frontend_token and hive › aws_account_operator_token in sd-uhc/sandbox (config)")
    assert says[2].startswith("Ask hive-integration whether it accepts the token in sd-uhc/sandbox (config › hive ›")
    assert all(step.reversible for _, _, step in plan.steps)
    absent = FieldIs(ref=SecretRef(path=HANDOVER, field="nothing"), fingerprint=None)
    assert absent.says() == "sd-uhc/sandbox-tokens (nothing) was absent"
    assert absent.holds(world.read_tools)
    inside = SecretRef(path=CONFIG, field="config", inside=("hive", "frontend_token"))
    assert FieldIs(ref=inside, fingerprint=world.mark(world.old["hive-frontend"])).holds(world.read_tools)
    assert not FieldIs(ref=inside, fingerprint=None).holds(world.read_tools)


def test_lists_for_people() -> None:
    """Names are joined as people would, and a place shows its keys in order."""
    assert [listed(("a",)), listed(("a", "b")), listed(("a", "b", "c"))] == ["a", "a and b", "a, b and c"]
    assert shown(("clusters", 0, "token")) == "clusters › 0 › token"


def test_steps_hold_no_values() -> None:
    """Everything in a step is a reference, a name or a fingerprint: a value has no field to be in."""
    assert set(Copy.model_fields) == {"source", "field", "was", "becomes"}
    assert RunRef(id="run-1").id == "run-1"
