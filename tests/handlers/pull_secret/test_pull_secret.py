"""/pull-secret against OCM, registries and clusters over HTTP: what it finds, proposes, changes and puts back."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from bot.core.errors import Refused
from playground.kubernetes_kinds import SECRET

DAY = 86400.0
OCM, BASIC, BEARER, OTHER = "cloud.openshift.com", "registry.example.com", "quay.example.com", "mirror.example.com:5000"
BACKUP = "pull-secret-before-hivekeeper"


def kinds(plan: Any) -> list[list[str]]:
    return [[step.kind for step in stage.steps] for stage in plan.stages]


def test_a_closed_window_is_nobodys_business(world: Any) -> None:
    """Without a transfer a sync does nothing and, when a schedule asked, says nothing."""
    answer = world.answer("sync")
    assert answer.title == "Nothing to do: 2 pull secrets"
    assert answer.quiet
    assert not answer.warnings
    assert world.writes() == world.writes("two") == []


def test_the_plan_says_what_changes(world: Any) -> None:
    """Per registry: the same, replaced or added, by fingerprint; whose the cluster becomes, and until when. Nothing is
    changed yet."""
    world.open({"auths": {OCM: world.entry(), BASIC: world.auths()[BASIC], BEARER: world.entry()}})
    plan = world.plan("one")
    assert plan.title == "Update the pull secret of one for the transfer to another owner"
    assert kinds(plan) == [["pull-secret.write"], ["pull-secret.confirm"], ["pull-secret.watch-pools"]]
    rows = {change.name: change for change in plan.changes}
    assert set(rows) == {OCM, BASIC, BEARER}, "what only the cluster has is not touched"
    assert rows[BASIC].matches
    assert rows[BEARER].old is None
    assert rows[OCM].old not in (None, rows[OCM].new)
    assert {change.subject for change in plan.changes} == {"joe → jack"}
    assert {change.source for change in plan.changes} == {"OCM"}
    (note,) = plan.notes
    assert note.text == "joe → jack; registries: 1 same, 1 replaced, 1 added. 5 days are left; the window closes"
    assert note.at == world.now() + 5 * DAY
    assert not plan.warnings
    assert world.writes() == []


def test_everything_arrives(world: Any) -> None:
    """After applying, the cluster has all that it had and all that is new; OCM takes its new token without a restart;
    every machine has it; and the old pull secret waits beside it."""
    before, old = world.auths(), world.raw()
    world.open()
    plan = world.plan("one")
    assert world.drifted(plan) == []
    assert world.apply(plan) == {}
    now = world.auths()
    assert now[OTHER] == before[OTHER]
    assert now[OCM]["email"] == "joe@example.com", "fields that the new one does not have stay"
    assert now[OCM]["auth"] != before[OCM]["auth"]
    assert BEARER in now
    assert world.raw(name=BACKUP) == old
    assert world.secret()["metadata"]["annotations"]["hivekeeper/run"] == "run-1"
    assert any("worker 0 of 2" in told for told in world.told)
    assert world.pool()["status"]["updatedMachineCount"] == 2
    report = world.report(plan)
    assert report.table.rows == (("one", "updated (PullSecretUpdated)", "yes", "master all 1; worker all 2"),)
    assert (report.warnings, report.offers) == ((), ())


def test_twice_is_once(world: Any) -> None:
    """Asked again while the window is still open there is nothing to do (NoNewData), and nothing is written again."""
    world.open()
    world.apply(world.plan("one"))
    version = world.secret()["metadata"]["resourceVersion"]
    answer = world.answer("sync", "one")
    assert answer.quiet
    assert answer.table.rows[0][:2] == ("one", "synced")
    assert world.secret()["metadata"]["resourceVersion"] == version


def test_carried_out_again_after_a_crash(world: Any) -> None:
    """Whatever stage the bot died in, the next try ends the same, and the backup is of what was there before."""
    world.open()
    plan, old = world.plan("one"), world.raw()
    world.apply(plan, stages=1)
    once = world.raw()
    assert world.apply(plan) == {}
    assert (world.raw(), world.raw(name=BACKUP)) == (once, old)


def test_a_cluster_without_pools(world: Any) -> None:
    """Where the control plane is hosted elsewhere there is nothing to watch, and that is no failure."""
    world.open(cluster="two")
    plan = world.plan("two")
    assert world.apply(plan) == {}
    assert world.report(plan).table.rows == (("two", "updated (PullSecretUpdated)", "yes", "no pools"),)


def test_a_hosted_clusters_token_lies_elsewhere(world: Any) -> None:
    """Without a token in the pull secret, that of kube-system/global-pull-secret is taken, and the plan says so."""
    entries = world.auths("two")
    token = entries.pop(OCM)
    world.put({"auths": entries}, "two")
    assert world.answer("status", "two").table.rows[0][1] == "no token"
    world.put({"auths": {OCM: token}}, "two", namespace="kube-system", name="global-pull-secret")
    world.open(cluster="two")
    assert "token is that of the nodes' own pull secret" in world.plan("two").notes[0].text


def test_undo_gives_every_byte_back(world: Any) -> None:
    """The document, the annotations and the labels are as they were; done twice it is the same."""
    world.put(json.dumps({"auths": world.auths()}, indent=3) + "\n", annotations={"a": "b"}, labels={"c": "d"})
    was, before = world.raw(), world.secret()["metadata"]
    world.open()
    plan = world.plan("one")
    world.apply(plan, stages=1)
    for _ in range(2):
        plan.stages[0].steps[0].undo(world.tools, world.ref)
    after = world.secret()["metadata"]
    assert world.raw() == was
    assert (after["annotations"], after["labels"]) == (before["annotations"], before["labels"])


def test_the_backup_goes_with_its_run(world: Any) -> None:
    """Retiring removes it; what was written stays."""
    world.open()
    plan = world.plan("one")
    world.apply(plan)
    now = world.raw()
    plan.stages[0].steps[0].retire(world.tools, world.ref)
    assert world.secret(name=BACKUP) is None
    assert world.raw() == now


def test_restore(world: Any) -> None:
    """What the last update replaced comes back by a plan of its own, that says what goes; then there is nothing more to
    put back."""
    was = world.raw()
    world.open()
    world.apply(world.plan("one"))
    world.run = "run-2"
    plan = world.plan("one", action="restore")
    assert plan.title == "Put back the pull secret that one had before run run-1"
    assert {change.name: change.new is None for change in plan.changes}[BEARER]
    assert "the next sync would bring it again" in plan.warnings[0], "also one that a schedule asks for"
    assert world.drifted(plan) == []
    assert world.apply(plan) == {}
    assert world.raw() == was
    report = world.report(plan)
    assert (report.table.rows[0][1:3], report.offers) == (("put back", "–"), ())
    with pytest.raises(Refused, match="no pull secret to put back"):
        world.ask("restore", "one")


def test_restore_is_of_the_same_run(world: Any) -> None:
    """A copy that another run made is not what was there before this one."""
    world.open()
    world.apply(world.plan("one"))
    backup = world.secret(name=BACKUP)
    backup["metadata"]["annotations"]["hivekeeper/run"] = "run-7"
    world.clusters["one"].put(SECRET, backup)
    with pytest.raises(Refused, match="no pull secret to put back"):
        world.ask("restore", "one")


def test_restore_is_of_one_cluster(world: Any) -> None:
    """All at once is refused."""
    with pytest.raises(Refused, match="one cluster"):
        world.ask("restore")


# --- the world moves --------------------------------------------------------------------------------------------


def test_one_dead_cluster_keeps_none(world: Any) -> None:
    """The other is synced, and the plan and its report name the one that was left out."""
    world.open()
    world.open(cluster="two")
    world.clusters["two"].down()
    plan = world.plan()
    assert plan.title == "Update the pull secret of one for the transfer to another owner"
    assert plan.warnings[0].startswith("two: left out. Cluster two")
    assert world.apply(plan) == {}
    assert world.report(plan).warnings == plan.warnings[:1]


def test_both_in_one_plan(world: Any) -> None:
    """Two clusters: no premise of one binds the other, and one that has moved fails alone."""
    world.open()
    world.open(cluster="two")
    plan = world.plan("all")
    assert (plan.title, plan.premises) == (
        "Update the pull secret of 2 clusters for the transfer to another owner", ())  # fmt: skip
    world.ocm.close(world.ids["one"])
    failed = world.apply(plan)
    assert [type(error).__name__ for error in failed.values()] == ["Drifted", "Refused", "Refused"]
    assert BEARER in world.auths("two")
    report = world.report(plan)
    assert [row[1] for row in report.table.rows] == ["as before", "updated (PullSecretUpdated)"]
    assert [offer.ask["cluster"] for offer in report.offers if offer.ask["action"] == "sync"] == [["one"]]


def test_names(world: Any) -> None:
    """Clusters are told by name, in any case; one that is not known is refused with those that are."""
    assert world.answer("status", "ONE").table.rows[0][0] == "one"
    with pytest.raises(Refused, match=r"There are: one, two and all"):
        world.ask("status", "three")


def test_status_and_check(world: Any) -> None:
    """One row for each cluster: window, owners, time left, the last update, the pools; check compares and tries, too."""
    world.open(days=1)
    status, check = world.answer("status"), world.answer("check")
    assert status.title == "1 transfer open, 2 clusters looked at"
    assert status.table.rows[0] == ("one", "open", "joe → jack", "24 h", "not by the bot", "master all 1; worker all 2")
    assert status.table.rows[1][:4] == ("two", "closed", "–", "–")
    assert check.table.rows[0][-2:] == ("2 replaced, 1 added", "2 logins accepted")
    assert not status.quiet
    assert [offer.ask["cluster"] for offer in status.offers] == [["one"]]
    assert world.writes() == []


def test_the_bots_word_is_that_of_nobody_else(world: Any) -> None:
    """Names of people from OCM are shortened, and nothing of a document is ever shown."""
    document = json.dumps({"auths": {BASIC: world.entry()}})
    world.ocm.open_window(world.ids["one"], "j" * 500, "<!channel>", document, world.now() + DAY)
    plan = world.plan("one")
    assert len(plan.notes[0].text) < 200
    assert base64.b64encode(document.encode()).decode()[:20] not in plan.model_dump_json()
