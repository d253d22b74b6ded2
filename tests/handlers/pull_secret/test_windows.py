"""Each row of the operator's table, as the command answers it and as the inventory shows it."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest

from bot.core.errors import Refused, Transient
from bot.core.kubernetes import backup_name
from playground import kubernetes_kinds as kinds
from playground.ocm_answers import Answer, error
from playground.ocm_faults import Fault

HOUR, DAY = 3600.0, 86400.0
OCM, BASIC, BEARER = "cloud.openshift.com", "registry.example.com", "quay.example.com"
FAILING = [  # answer, word, kind of error, state in the inventory
    (error(401), "Unauthorized", Refused, "unknown"),
    (error(403), "Forbidden", Refused, "unknown"),
    (error(500), "InternalServerError", Transient, "degraded"),
    (error(503), "ServiceUnavailable", Transient, "degraded"),
    (Answer(200, raw=b"{nonsense"), "UnexpectedData", Refused, "unknown"),
    (Answer(200, raw=b"<html>", kind="text/html"), "UnexpectedData", Refused, "unknown"),
]


@pytest.mark.parametrize(
    ("answer", "word", "kind", "state"), FAILING, ids=[f"{one[1]}-{n}" for n, one in enumerate(FAILING)]
)
def test_ocm_says_no(world: Any, answer: Answer, word: str, kind: type[Exception], state: str) -> None:
    """One cluster alone is the error that it is, with the operator's word; only a status of 500 and above is degraded;
    nothing is written, and the other cluster is not concerned."""
    world.ocm.faults.add(Fault(cluster=world.ids["one"], answer=answer))
    with pytest.raises(kind) as raised:
        world.ask("sync", "one")
    assert type(raised.value) is kind
    assert word in str(raised.value)
    found = world.inventory()
    assert found["one/pull-secret"].state == state
    assert word in found["one/pull-secret"].told
    assert (found["two/pull-secret"].state, found["two/pull-secret"].told) == ("fresh", "")
    both = world.answer("sync")
    assert not both.quiet
    assert word in both.warnings[0]
    status = world.answer("status")
    assert status.table.rows[0][1] == word
    assert status.title == "Trouble with 1 of 2 clusters"
    assert not status.quiet
    assert world.writes() == []


@pytest.mark.parametrize(
    ("status", "words"), [(400, "ocm.address"), (401, "pull secret"), (404, "ocm.address"), (429, "some minutes")]
)
def test_what_to_do_about_it(world: Any, status: int, words: str) -> None:
    """Where the trouble is: an address is not mended at the cluster."""
    world.ocm.faults.add(Fault(cluster=world.ids["one"], answer=error(status)))
    with pytest.raises(Refused) as told:
        world.ask("sync", "one")
    assert words in told.value.now


def test_ocm_fails_for_all(world: Any) -> None:
    """Then it is only temporarily away, and is asked again by whoever asks for plans; a healthy cluster among them makes
    it an answer."""
    world.ocm.faults.add(Fault(answer=error(500)))
    with pytest.raises(Transient, match=r"one and two: InternalServerError"):
        world.ask("sync")


def test_ocm_is_not_there(world: Any) -> None:
    """Disconnected: nobody knows; that is neither well nor degraded."""
    world.ocm.faults.add(Fault(cluster=world.ids["one"], answer=Answer(200, raw=b"x" * 100), cut=1))
    with pytest.raises(Transient, match="Disconnected"):
        world.ask("sync", "one")
    assert world.inventory()["one/pull-secret"].state == "unknown"


@pytest.mark.parametrize("none", ["204", "blank"])
def test_no_transfer(world: Any, none: Any) -> None:
    """NoClusterTransfer, however OCM says so: well, and quiet."""
    world.ocm.none = none
    assert world.answer("sync").quiet
    assert world.answer("status").quiet
    assert world.answer("status").table.rows[0][1] == "closed"
    assert {one.state for one in world.inventory().values()} == {"fresh"}


def test_an_empty_list(world: Any) -> None:
    """UnexpectedData, though healthy: there is nothing to sync, and nobody is called."""
    world.ocm.none = "list"
    answer = world.answer("sync", "one")
    assert answer.quiet
    assert answer.table.rows[0][1] == "UnexpectedData"
    assert world.inventory()["one/pull-secret"].told == ""


def test_more_than_one(world: Any) -> None:
    """Which is meant is not for the bot to say; the alarm rings by the window that closes first."""
    world.open(days=1.5)
    world.open(days=5)
    with pytest.raises(Refused, match=r"MoreAcceptedClusterTransfers"):
        world.ask("sync", "one")
    found = world.inventory()["one/pull-secret"]
    assert (found.state, found.alarm) == ("due", "48h")
    assert "MoreAccepted" in found.told
    assert world.answer("status", "one").table.rows[0][1:4] == ("MoreAcceptedClusterTransfers", "–", "36 h")


def test_corrupted(world: Any) -> None:
    """DataCorrupted, by OCM's tool or by a look at the entries: refused, with what is wrong in it; the alarm rings as for
    any window that nobody has synced."""
    world.open(days=1.5)
    for document in ("", '{"auths": {', "[]", '{"auths": {}}', json.dumps({"auths": {BASIC: {"auth": "%%"}}}), None):
        world.ocm.corrupt(world.ids["one"], document)
        with pytest.raises(Refused, match="DataCorrupted"):
            world.ask("sync", "one")
        found = world.inventory()["one/pull-secret"]
        assert (found.state, found.alarm) == ("due", "48h")
        assert world.answer("status", "one").table.rows[0][1] == "DataCorrupted"


def test_disconnected_clusters_are_left_alone(world: Any) -> None:
    """No token, so OCM is not asked at all, and nothing is told."""
    world.put({"auths": {BASIC: world.entry()}})
    world.ocm.log.clear()
    answer = world.answer("sync", "one")
    assert answer.quiet
    assert answer.table.rows[0][1] == "no token"
    assert (world.inventory()["one/pull-secret"].state, world.inventory()["one/pull-secret"].told) == ("fresh", "")
    assert world.ids["one"] not in {line.who for line in world.ocm.log}


# --- the inventory ----------------------------------------------------------------------------------------------


def test_alarms(world: Any) -> None:
    """From 48, 24 and 6 hours before its end on; nothing before, and nothing any more once it is synced."""
    world.open(days=5)
    seen = []
    for hours in (0, 71, 1.5, 23, 1.5, 16.5, 1.5, 10):
        world.ahead += hours * HOUR
        found = world.inventory()["one/pull-secret"]
        seen.append(found.alarm)
        assert found.state == "due"
    assert seen == ["", "", "48h", "48h", "24h", "24h", "6h", "closed"]
    assert "its pull secret was not synced" in found.told


@pytest.mark.parametrize(("status", "state"), [(503, "degraded"), (401, "due"), (429, "due")])
def test_alarms_while_ocm_does_not_say(world: Any, status: int, state: str) -> None:
    """The time of a transfer that was seen runs on: who can still call somebody is told, and what is over, too."""
    world.open(days=3)
    assert world.inventory()["one/pull-secret"].alarm == ""
    world.ocm.faults.add(Fault(cluster=world.ids["one"], answer=error(status)))
    seen = []
    for hours in (0, 25, 23, 20, 6):
        world.ahead += hours * HOUR
        found = world.inventory()["one/pull-secret"]
        seen.append((found.state, found.alarm))
    assert seen == [(state, alarm) for alarm in ("", "48h", "24h", "6h", "closed")]
    assert f"({status})" in found.told
    assert found.told.endswith("The transfer joe → jack was open when OCM last said, and its time is over.")


def test_no_alarm_while_ocm_fails_after_a_sync(world: Any) -> None:
    """The bot has brought what the transfer had: nobody is called, however little time it has left."""
    world.open(days=1)
    world.apply(world.plan("one"))
    assert world.inventory()["one/pull-secret"].state == "fresh"
    world.ocm.faults.add(Fault(cluster=world.ids["one"], answer=error(503)))
    found = world.inventory()["one/pull-secret"]
    assert (found.state, found.alarm) == ("degraded", "")


def test_what_waits_is_offered(world: Any) -> None:
    """A window that is open: who hands it to whom, what is left, and a button; the time of its end, so that a schedule
    that would come too late comes early."""
    world.open(days=1)
    found = world.inventory()["one/pull-secret"]
    assert found.told == "The transfer joe → jack waits for its pull secret to be synced; 24 h are left."
    assert found.expires_at == world.now() + DAY
    assert found.offer.ask == {"action": "sync", "cluster": ["one"]}
    assert world.handler.ask.model_validate(found.offer.ask)
    world.apply(world.plan("one"))
    after = world.inventory()["one/pull-secret"]
    assert (after.state, after.told, after.alarm, after.offer) == ("fresh", "", "", None)
    assert after.written_at is not None


def test_synced_in_time_is_well_when_time_is_over(world: Any) -> None:
    """OCM may go on showing the transfer: the cluster has its pull secret, so nobody missed anything."""
    world.open(days=1)
    world.apply(world.plan("one"))
    world.ahead += 2 * DAY
    assert world.inventory()["one/pull-secret"].state == "fresh"
    assert world.answer("sync", "one").quiet


def test_a_dead_cluster_is_unknown(world: Any) -> None:
    """It says that it was not seen, and the other was."""
    world.clusters["two"].down()
    found = world.inventory()
    assert (found["one/pull-secret"].state, found["two/pull-secret"].state) == ("fresh", "unknown")
    assert "two" in found["two/pull-secret"].told


def asked(world: Any, cluster: str = "one") -> int:
    return sum(line.who == world.ids[cluster] for line in world.ocm.log)


def test_the_inventory_asks_seldom(world: Any) -> None:
    """As often as the operator would: every twelve hours, and every time while a window is open. A command asks now."""
    for _ in range(3):
        world.inventory()
        world.ahead += 3 * HOUR
    assert asked(world) == 1
    world.ahead += 4 * HOUR
    world.inventory()
    assert asked(world) == 2
    world.answer("status", "one")
    assert asked(world) == 3
    world.open()
    world.answer("check", "one")
    world.inventory()
    world.inventory()
    assert asked(world) == 6


def test_a_schedule_keeps_to_each_clusters_interval(world: Any) -> None:
    """Asked every hour for what is due, OCM is asked about each cluster as seldom as its interval says, and as a failing
    one is asked; a window is found with the first look after that."""
    world.put("2h", name="support", type="Opaque", key="clusterTransferInterval")
    for _ in range(12):
        answer = world.answer("sync", due=True)
        assert answer.quiet
        assert "from before" in answer.text[0]
        world.ahead += HOUR
    assert (asked(world), asked(world, "two")) == (6, 1)
    world.open(), world.open(cluster="two")
    assert [step.sync.cluster for step in world.plan(due=True).stages[0].steps] == ["one", "two"]
    world.ocm.faults.add(Fault(cluster=world.ids["one"], answer=error(500)))
    world.ahead += HOUR
    before = asked(world)
    for _ in range(3):
        with pytest.raises(Transient, match="InternalServerError"):
            world.ask("sync", "one", due=True)
    assert asked(world) == before + 1


def test_the_clusters_own_interval(world: Any) -> None:
    """insights-config goes before support, and that before the settings."""
    world.put("1h", name="support", type="Opaque", key="clusterTransferInterval")
    world.inventory()
    world.ahead += 1.1 * HOUR
    world.inventory()
    assert asked(world) == 2
    config = {"config.yaml": "clusterTransfer:\n  interval: 6h\n"}
    world.clusters["one"].put(
        kinds.CONFIG_MAP, {"metadata": {"name": "insights-config", "namespace": "openshift-insights"}, "data": config}
    )
    world.ahead += 2 * HOUR
    world.inventory()
    assert asked(world) == 2
    assert world.answer("status", "one").notes[0].text == "wants to be asked about every 6 h"


def test_a_failing_ocm_is_asked_less_and_less(world: Any) -> None:
    """After half an hour, an hour, two, four, …: a 24th of the interval, doubled each time, and never longer than it."""
    world.ocm.faults.add(Fault(cluster=world.ids["one"], answer=error(500)))
    moments = []
    for minute in range(0, 20 * 60, 30):
        before = asked(world)
        world.inventory()
        if asked(world) > before:
            moments.append(minute)
        world.ahead += 1800
    gaps = [b - a for a, b in pairwise(moments)]
    assert gaps == [30, 60, 120, 240, 480]


# --- what the cluster itself says -------------------------------------------------------------------------------


def test_an_endpoint_that_is_not_allowed(world: Any) -> None:
    """The cluster's token goes to no host that the bot's settings do not name; the host is not repeated."""
    world.put("https://evil.example.com/api", name="support", type="Opaque", key="clusterTransferEndpoint")
    with pytest.raises(Refused, match="another OCM") as raised:
        world.ask("sync", "one")
    assert "evil" not in str(raised.value)


def test_an_endpoint_of_its_own(world: Any) -> None:
    """One at the host that the settings allow is asked in place of the usual address."""
    address = world.tools.ocm._asked._settings.address
    world.put(f"{address}/proxied/", name="support", type="Opaque", key="clusterTransferEndpoint")
    with pytest.raises(Refused, match="NotFound"):
        world.ask("sync", "one")
    assert world.ocm.log[-1].path.startswith("/proxied")
    config = {"config.yaml": f"clusterTransfer:\n  endpoint: {address}/other/\n"}
    metadata = {"name": "insights-config", "namespace": "openshift-insights"}
    world.clusters["one"].put(kinds.CONFIG_MAP, {"metadata": metadata, "data": config})
    with pytest.raises(Refused, match="NotFound"):
        world.ask("sync", "one")
    assert world.ocm.log[-1].path.startswith("/other")


def test_settings_that_cannot_be_understood(world: Any) -> None:
    """They are told of, and the bot's own count."""
    world.put("tomorrow", name="support", type="Opaque", key="clusterTransferInterval")
    answer = world.answer("status", "one")
    assert answer.warnings == ("one: clusterTransferInterval in the cluster's Secret support cannot be understood.",)


# --- rights -----------------------------------------------------------------------------------------------------

CASES = [("update", "pull-secret"), ("create", ""), ("get", backup_name("pull-secret")),
         ("update", backup_name("pull-secret")), ("delete", backup_name("pull-secret"))]  # fmt: skip


@pytest.mark.parametrize(("verb", "name"), CASES)
def test_one_right_less_to_write(world: Any, verb: str, name: str) -> None:
    """Refused before anything is proposed, with the verb and where the right is to be had."""
    world.open()
    role = world.clusters["one"].get(kinds.ROLE, "hivekeeper-pull-secret", "openshift-config")
    for rule in role["rules"]:
        if verb in rule["verbs"] and name in rule.get("resourceNames", [""]):
            rule["resourceNames"] = [one for one in rule.get("resourceNames", []) if one != name] or ["nothing"]
    world.clusters["one"].put(kinds.ROLE, role)
    with pytest.raises(Refused, match=rf"may not {verb} secrets") as raised:
        world.ask("sync", "one")
    assert "deploy/rbac/pull-secret.yaml" in raised.value.now
    assert world.writes() == []


@pytest.mark.parametrize("resource", ["secrets", "clusterversions", "machineconfigpools"])
def test_one_right_less_to_look(world: Any, resource: str) -> None:
    """The cluster's own refusal, by verb and resource."""
    world.clusters["one"].deny("list" if resource == "machineconfigpools" else "get", resource)
    with pytest.raises(Refused, match=resource):
        world.ask("sync", "one")


def test_the_insights_config_need_not_be_read(world: Any) -> None:
    """Without that right the bot's settings count, and the status says so."""
    world.clusters["one"].deny("get", "configmaps")
    assert "configmaps" in world.answer("status", "one").warnings[0]
    assert world.answer("sync", "one").quiet
