"""What may happen between a plan of /pull-secret and its end: the world moves, answers are lost, others write."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from bot.core.errors import Drifted, Refused, Transient, Unverified
from bot.core.plan import RunRef
from playground.kubernetes_faults import Fault, unavailable

DAY = 86400.0
OCM, BASIC, BEARER = "cloud.openshift.com", "registry.example.com", "quay.example.com"
BACKUP = "pull-secret-before-hivekeeper"


def test_the_window_closes_before_approval(world: Any) -> None:
    """The premise no longer holds; and the step by itself writes nothing, for plans of many clusters."""
    world.open()
    plan, old = world.plan("one"), world.raw()
    world.ocm.close(world.ids["one"])
    assert len(world.drifted(plan)) == 1
    with pytest.raises(Drifted, match="not open any more"):
        plan.stages[0].steps[0].do(world.tools, world.ref)
    assert world.raw() == old


def test_time_runs_out_before_approval(world: Any) -> None:
    """OCM still shows the transfer, but its time is over."""
    world.open(days=0.5)
    plan = world.plan("one")
    world.ahead += DAY
    assert len(world.drifted(plan)) == 1
    with pytest.raises(Refused, match="time of the transfer is over"):
        world.ask("sync", "one")


def test_the_window_closes_soon(world: Any) -> None:
    """From six hours before its end on the approver is warned."""
    world.open(days=6.2 / 24)
    assert world.plan("one").warnings == ()
    world.ahead += 0.3 * 3600
    assert "the window closes soon" in world.plan("one").warnings[0]


def test_another_document_is_not_what_was_approved(world: Any) -> None:
    """The transfer is the same, but what it brings is not."""
    world.open()
    plan, old = world.plan("one"), world.raw()
    world.ocm.corrupt(world.ids["one"], json.dumps({"auths": {OCM: world.entry(), BASIC: world.entry()}}))
    assert len(world.drifted(plan)) == 1
    with pytest.raises(Drifted):
        plan.stages[0].steps[0].do(world.tools, world.ref)
    assert world.raw() == old


def test_another_transfer_is_not_what_was_approved(world: Any) -> None:
    """The same pull secret by another transfer, with another owner perhaps, is shown anew."""
    text = json.dumps({"auths": {OCM: world.entry(), BASIC: world.entry()}})
    world.open(text)
    plan = world.plan("one")
    world.ocm.close(world.ids["one"])
    world.ocm.open_window(world.ids["one"], "joe", "mallory", text, world.now() + DAY)
    assert len(world.drifted(plan)) == 1
    with pytest.raises(Drifted):
        plan.stages[0].steps[0].do(world.tools, world.ref)


def test_another_result_than_was_approved(world: Any) -> None:
    """As when a newer bot merges otherwise than the one that showed the plan: nothing is written."""
    world.open()
    (step,) = world.plan("one").stages[0].steps
    other = step.model_copy(update={"sync": step.sync.model_copy(update={"new": "00000000"})})
    with pytest.raises(Drifted, match="another one than was shown"):
        other.do(world.tools, world.ref)
    assert world.writes() == []


def test_somebody_else_writes_first(world: Any) -> None:
    """Another pull secret than was shown is not written over, neither before the step nor within it."""
    world.open()
    plan = world.plan("one")
    theirs = {"auths": {**world.auths(), "x.example.com": world.entry()}}
    world.put(theirs)
    assert len(world.drifted(plan)) == 1
    with pytest.raises(Drifted, match="Somebody else changed"):
        plan.stages[0].steps[0].do(world.tools, world.ref)
    assert json.loads(world.raw()) == theirs


def test_a_writer_at_the_same_moment(world: Any) -> None:
    """A write between our look and ours is a conflict, and theirs stays."""
    world.open()
    plan = world.plan("one")
    theirs = {"auths": {**world.auths(), "x.example.com": world.entry()}}
    done: list[int] = []

    def meanwhile(entry: Any, when: str) -> None:
        if when == "before" and entry.verb == "update" and not done:
            done.append(1)
            world.put(theirs)

    world.clusters["one"].on_write = meanwhile
    with pytest.raises(Drifted):
        plan.stages[0].steps[0].do(world.tools, world.ref)
    assert json.loads(world.raw()) == theirs
    assert done


@pytest.mark.parametrize(("answer", "kind"), [(None, Refused), (unavailable(), Transient)], ids=["may not", "away"])
def test_the_update_fails(world: Any, answer: Any, kind: type[Exception]) -> None:
    """Told with the operator's word for it; a cluster that is only away is still asked again."""
    world.open()
    (step,) = world.plan("one").stages[0].steps
    if answer is None:
        world.clusters["one"].deny("update", "secrets")
    else:
        world.clusters["one"].faults.add(Fault(verb="update", resource="secrets", answer=answer))
    with pytest.raises(kind, match=r"^one: UpdateFailed: ") as told:
        step.do(world.tools, world.ref)
    assert type(told.value) is kind


def test_two_plans_for_the_same(world: Any) -> None:
    """The second finds that the first has done it: its premises hold, its write is done already, nothing is repeated."""
    world.open()
    first, second = world.plan("one"), world.plan("one")
    world.apply(first)
    writes = len(world.writes())
    world.run = "run-2"
    assert world.drifted(second) == []
    assert world.apply(second) == {}
    assert len(world.writes()) == writes


def test_ocm_does_not_take_the_new_token(world: Any) -> None:
    """The run says so, tells how to go back, and the report offers that; it was asked some times, with pauses."""
    world.open()
    plan = world.plan("one")
    world.apply(plan, stages=1)
    new = world.auths()[OCM]["auth"]
    world.ocm.revoke(new)
    (error,) = (e for e in world.apply(plan, stages=2).values())
    assert isinstance(error, Unverified)
    assert "/pull-secret restore one" in error.now
    report = world.report(plan)
    assert report.table.rows[0][1:3] == ("updated (PullSecretUpdated)", "no")
    assert report.offers[0].ask == {"action": "restore", "cluster": ["one"]}


def until_done(world: Any, step: Any) -> None:
    """As the engine: what was only temporarily away is asked whether it is done, and done again."""
    for _ in range(4):
        try:
            if not step.done(world.read_tools):
                step.do(world.tools, world.ref)
            assert step.done(world.read_tools)
        except Transient:
            continue
        return


@pytest.mark.parametrize("verb", ["create", "update"])
@pytest.mark.parametrize("cut", [0, 40, None])
def test_an_answer_is_lost(world: Any, verb: str, cut: int | None) -> None:
    """Of the backup or of the write, after it was carried out or (None) before: the end is the same, and all can be put
    back."""
    world.open()
    (step,) = world.plan("one").stages[0].steps
    was = world.raw()
    lost = Fault(verb=verb, resource="secrets", times=1, cut=cut, answer=unavailable() if cut is None else None)
    world.clusters["one"].faults.add(lost)
    until_done(world, step)
    assert BEARER in world.auths()
    assert world.raw(name=BACKUP) == was
    step.undo(world.tools, world.ref)
    assert world.raw() == was


def test_the_api_server_restarts(world: Any) -> None:
    """While it is away a step is only temporarily undone, never failed for good."""
    world.open()
    (step,) = world.plan("one").stages[0].steps
    world.clusters["one"].down()
    for act in (lambda: step.done(world.read_tools), lambda: step.do(world.tools, world.ref)):
        with pytest.raises(Transient):
            act()
    world.clusters["one"].heal()
    until_done(world, step)
    assert BEARER in world.auths()


def test_two_bots_at_once(world: Any) -> None:
    """Two runs that write at the same moment, as two bots might: the pull secret is whole, one write was made, the backup
    is of what was there before, and undoing both loses nothing."""
    old = world.raw()
    world.open()
    (step,) = world.plan("one").stages[0].steps
    start = threading.Barrier(2)

    def write(run: str) -> str:
        start.wait()
        try:
            step.do(world.tools, RunRef(run))
        except (Drifted, Transient) as error:
            return type(error).__name__
        return "written"

    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(write, ("run-1", "run-2")))
    assert "written" in ends
    assert step.done(world.read_tools)
    assert world.raw(name=BACKUP) == old
    for run in ("run-1", "run-2"):
        with suppress(Refused):  # whose backup it is only one of them can say
            step.undo(world.tools, RunRef(run))
    assert BEARER in world.auths() or world.raw() == old


# --- pools ------------------------------------------------------------------------------------------------------
