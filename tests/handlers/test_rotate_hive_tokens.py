"""/rotate-hive-tokens against Vault (KV 1 and 2) and a cluster over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.core.plan import Answer
from handlers.hive_tokens import AWS_ACCOUNT_OPERATOR as OPERATOR
from handlers.hive_tokens import HIVE_FRONTEND as FRONTEND
from playground.ci_jobs import NINE, write_jobs

HANDOVER, CONFIG = "sd-uhc/sandbox-tokens", "sd-uhc/sandbox"


def kinds(plan: Any) -> list[list[str]]:
    return [[step.kind for step in stage.steps] for stage in plan.stages]


def test_the_plan_says_what_changes(world: Any, canary: Any) -> None:
    """Four copies with their fingerprints, three stages, a premise for all that was read, and no secret anywhere."""
    plan = world.plan()
    canary.watch("the plan", plan.model_dump_json)
    assert plan.title == "Hand 2 hive tokens to OCM CI"
    assert plan.subject == CONFIG
    assert kinds(plan) == [["vault.copy-fields"], ["vault.patch-document"], ["cluster.accepts"] * 2]
    old, new = world.mark(world.old["hive-frontend"]), world.mark(world.new["hive-frontend"])
    first, second, *_ = plan.changes
    assert (first.name, first.old, first.new) == ("hive-frontend", old, new)
    assert (first.source, first.target) == (f"{FRONTEND.source} (token)", f"{HANDOVER} (hive-frontend-token)")
    assert second.target == f"{CONFIG} (config › hive › frontend_token)"
    assert {change.subject for change in plan.changes} == {
        "system:serviceaccount:hive:hive-frontend",
        "system:serviceaccount:aws-account-operator:aws-account-operator-client",
    }
    assert [premise.ref.path for premise in plan.premises] == [
        FRONTEND.source,
        OPERATOR.source,
        HANDOVER,
        HANDOVER,
        CONFIG,
    ]
    assert not plan.warnings
    assert world.writes() == []


def test_everything_arrives(world: Any) -> None:
    """After applying, both copies are new, the neighbours and every other character of the config are as before."""
    before = world.snapshot()
    world.apply(world.plan())
    after = world.snapshot()
    assert after[HANDOVER] == before[HANDOVER] | {a.handover_field: world.new[a.name] for a in (FRONTEND, OPERATOR)}
    assert world.config() == world.text(world.new["hive-frontend"], world.new["aws-account-operator"])
    assert "\n" not in after[CONFIG]["config"]
    assert {k: v for k, v in after[CONFIG].items() if k != "config"} == {"user": "ci", "count": 3}
    assert {p: d for p, d in after.items() if p not in (HANDOVER, CONFIG)} == {
        p: d for p, d in before.items() if p not in (HANDOVER, CONFIG)
    }


def test_then_there_is_nothing_to_do(world: Any) -> None:
    """Asked again, it answers with equal fingerprints and proposes nothing."""
    world.apply(world.plan())
    answer = world.ask()
    assert isinstance(answer, Answer)
    assert answer.title.startswith("Nothing to do")
    assert answer.table is not None
    assert {row[3] for row in answer.table.rows} == {world.mark(token) for token in world.new.values()}
    assert len(answer.table.rows) == 4


def test_only_one(world: Any) -> None:
    """only= leaves the other token and its field alone."""
    plan = world.plan(only="hive-frontend")
    assert plan.title == "Hand 1 hive token to OCM CI"
    world.apply(plan)
    held = world.vault.get(HANDOVER)
    assert held[FRONTEND.handover_field] == world.new["hive-frontend"]
    assert held[OPERATOR.handover_field] == world.old["aws-account-operator"]
    assert world.config() == world.text(world.new["hive-frontend"], world.old["aws-account-operator"])
    (proof,) = world.plan().stages[-1].steps  # of what is right already, nothing is proven again
    assert proof.subject.endswith(":aws-account-operator-client")


@pytest.mark.parametrize("world", [1], indirect=True)
def test_handover_only_never_looks_at_the_config(world: Any) -> None:
    """With handover_only the config may be anything; it is not read, and the report says what is left to do."""
    world.change(CONFIG, config="not base64")
    plan = world.plan(handover_only=True)
    assert kinds(plan) == [["vault.copy-fields"], ["cluster.accepts"] * 2]
    assert [note.label for note in plan.then] == ["OCM team"]
    assert HANDOVER in plan.then[0].text
    world.apply(plan)
    assert world.vault.get(CONFIG)["config"] == "not base64"
    assert not any(entry.path.rstrip("/").endswith("sandbox") for entry in world.vault.log)


@pytest.mark.parametrize("world", [1], indirect=True)
def test_half_of_it_done_before(world: Any) -> None:
    """What already matches is left out: here the handover path was brought up by hand."""
    world.change(HANDOVER, **{a.handover_field: world.new[a.name] for a in (FRONTEND, OPERATOR)})
    plan = world.plan()
    assert kinds(plan) == [["vault.patch-document"], ["cluster.accepts"] * 2]
    assert [change.matches for change in plan.changes] == [True, False, True, False]
    assert len(plan.warnings) == 2, "the config holds tokens that are in neither place now"
    world.apply(plan)
    assert world.config() == world.text(world.new["hive-frontend"], world.new["aws-account-operator"])


def test_an_empty_handover_path(world: Any) -> None:
    """The first handover ever creates the path; undoing it leaves no fields behind."""
    other = world.settings.model_copy(update={"handover": "sd-uhc/first"})
    world.settings = other
    plan = world.plan()
    assert plan.changes[0].old is None
    world.apply(plan)
    assert set(world.vault.get("sd-uhc/first")) == {FRONTEND.handover_field, OPERATOR.handover_field}
    world.undo(plan)
    assert not world.vault.get("sd-uhc/first")


@pytest.mark.parametrize("world", [1], indirect=True)
def test_without_a_cluster(world: Any) -> None:
    """Where no cluster is configured there is no proof stage, and nobody is asked."""
    alone = world.without_cluster()
    assert kinds(alone.plan()) == [["vault.copy-fields"], ["vault.patch-document"]]
    assert not world.cluster.log


@pytest.mark.parametrize("world", [1], indirect=True)
def test_a_cluster_without_reviews(world: Any) -> None:
    """An old cluster cannot say who a token is; that it accepts it is proof enough."""
    world.cluster.reviews = False
    world.apply(world.plan())
    assert world.config() == world.text(world.new["hive-frontend"], world.new["aws-account-operator"])


@pytest.mark.slow  # so much of it takes its time
@pytest.mark.parametrize("world", [1], indirect=True)
def test_ten_thousand_lines(world: Any) -> None:
    """A config of ten thousand lines is handled; everything but the tokens stays."""
    more = "".join(f"line{n}: 'value {n}'  # {n}\n" for n in range(10_000))
    world.put_config(world.text(*world.old.values()) + more)
    world.apply(world.plan())
    assert world.config() == world.text(*world.new.values()) + more


@pytest.mark.parametrize("world", [1], indirect=True)
@pytest.mark.parametrize("path", [FRONTEND.source, OPERATOR.source, HANDOVER, CONFIG])
def test_drift(world: Any, canary: Any, path: str) -> None:
    """Whatever was read and has changed since makes a premise false, and only that one."""
    plan = world.plan()
    assert world.holds(plan) == []
    fields = {HANDOVER: FRONTEND.handover_field, CONFIG: "config"}
    world.change(path, **{fields.get(path, "token"): canary("changed")})
    (broken,) = world.holds(plan)
    assert broken.startswith(path)


@pytest.mark.parametrize("world", [1], indirect=True)
def test_a_neighbour_is_no_drift(world: Any) -> None:
    """A field that the plan has nothing to do with may change in between, and is kept."""
    plan = world.plan()
    world.change(HANDOVER, neighbour="changed")
    world.change(CONFIG, count=4)
    assert world.holds(plan) == []
    world.apply(plan)
    assert world.vault.get(HANDOVER)["neighbour"] == "changed"
    assert world.vault.get(CONFIG)["count"] == 4


@pytest.mark.parametrize("world", [1], indirect=True)
def test_the_jobs_to_run_again(world: Any, tmp_path: Path) -> None:
    """The report names the nine jobs that read the config and those that read the handover path."""
    plan = world.with_jobs(write_jobs(tmp_path)).plan()
    notes = {note.text.split(":")[0]: note.text for note in plan.then}
    assert set(notes) == {"9 CI jobs read sd-uhc/sandbox", "2 CI jobs read sd-uhc/sandbox-tokens"}
    assert all(name in notes["9 CI jobs read sd-uhc/sandbox"] for name in NINE)


@pytest.mark.parametrize("world", [1], indirect=True)
def test_many_jobs(world: Any, tmp_path: Path) -> None:
    """Of many jobs some are named and the rest counted; files that cannot be read are told of."""
    lines = [
        f"- job: {{name: job-{n:03}, wrappers: [vault-secrets: {{secrets: [{{secret-path: {CONFIG}}}]}}]}}\n"
        for n in range(100)
    ]
    (tmp_path / "jobs.yaml").write_text("".join(lines))
    (tmp_path / "broken.yaml").write_text("[sandbox")
    plan = world.with_jobs(tmp_path).plan()
    (note,) = plan.then
    assert note.text.startswith(f"100 CI jobs read {CONFIG}: job-000, ")
    assert note.text.endswith(f"job-011 and 88 more (/secret-consumers {CONFIG})")
    assert plan.warnings == (
        "1 CI job file could not be read, so jobs may be missing; /secret-consumers names the files.",
    )


@pytest.mark.parametrize("world", [1], indirect=True)
def test_jobs_that_cannot_be_listed(world: Any, tmp_path: Path) -> None:
    """A rotation is not held up by a missing directory of jobs; it is a warning."""
    plan = world.with_jobs(tmp_path / "nowhere").plan()
    assert plan.stages
    (warning,) = plan.warnings
    assert warning.startswith("The CI jobs to run again are not known: There is no directory")


@pytest.mark.parametrize("world", [1], indirect=True)
def test_what_it_needs_in_vault(world: Any) -> None:
    """Every path that a plan reads or writes is among what `hivekeeper check` asks for, with the right to do so."""
    needs = {need.path: set(need.rights) for need in world.handler.needs(world.settings)}
    plan = world.plan()
    assert {premise.ref.path for premise in plan.premises} == set(needs)
    assert all("read" in rights for rights in needs.values())
    world.apply(plan)
    assert {path for path, rights in needs.items() if "update" in rights} == {HANDOVER, CONFIG}
