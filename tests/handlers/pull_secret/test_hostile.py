"""Documents that are damaged, hostile or enormous, on either side."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any, get_args

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from bot.core.errors import Refused
from bot.core.registry import Outcome, Pull
from bot.tools.registries import AskedRegistries
from handlers.pull_secret_compare import rejected
from playground import kubernetes_kinds as kinds

OCM, BASIC, BEARER, OTHER = "cloud.openshift.com", "registry.example.com", "quay.example.com", "mirror.example.com:5000"


def test_a_login_that_is_refused(world: Any) -> None:
    """The registry is named, nothing is proposed, and check shows it beside what is accepted."""
    world.open({"auths": {BASIC: world.entry(good=False), BEARER: world.entry()}})
    with pytest.raises(Refused, match=rf"not accepted by {BASIC}"):
        world.ask("sync", "one")
    row = world.answer("check", "one").table.rows[0]
    assert row[-1] == f"1 login accepted, refused by {BASIC}"
    assert world.writes() == []


@pytest.mark.parametrize("outcome", get_args(Outcome))
def test_which_answers_of_a_registry_refuse(outcome: Any) -> None:
    """That the login is wrong, has expired or may not pull; all else says nothing of the login."""
    refusal = rejected("one", ((BASIC, Pull(outcome=outcome, told="So it says.")),))
    assert (refusal is not None) == (outcome in ("unauthorized", "expired", "denied"))


def test_a_login_that_cannot_be_tried(world: Any) -> None:
    """A registry that does not answer well is a warning for the approver, no refusal; so is a document without a token
    for OCM."""
    world.registries[BASIC].state = "html"
    world.open({"auths": {BASIC: world.entry()}})
    first, second = world.plan("one").warnings
    assert first.startswith(f"one: the new login could not be tried at {BASIC}.")
    assert second == f"one: the new pull secret has no entry for {OCM}, so the cluster stays the old owner's."


def test_a_registry_that_takes_anybody_proves_nothing(world: Any, five: Any) -> None:
    """It never looks at the login: that is not counted as accepted, and the approver is told."""
    five[1][0].app = Starlette(routes=[Route("/v2/", lambda _: JSONResponse({}))])
    world.open()
    assert world.answer("check", "one").table.rows[0][-1] == "1 login accepted, 1 not tried"
    (warned,) = world.plan("one").warnings
    assert warned.startswith(f"one: the new login could not be tried at {BASIC}. The registry {BASIC} answers without")


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:6443", "https://127.0.0.1/v2/", "127.1:443", "0x7f.1", "169.254.169.254", "0.0.0.0:80"],
)
def test_a_registry_that_is_the_machine_itself(world: Any, host: str) -> None:
    """Nobody is led to ask the bot's own machine, or its cloud, in a registry's place."""
    world.open({"auths": {host: world.entry(), BASIC: world.entry()}})
    with pytest.raises(Refused, match=r"DataCorrupted: .* is the machine itself"):
        world.ask("sync", "one")
    assert not world.registries[BASIC].log


def test_what_stays_is_not_tried(world: Any) -> None:
    """Only what is new goes anywhere, and OCM's own token to no registry."""
    world.open({"auths": {OCM: world.entry(), BASIC: world.auths()[BASIC]}})
    world.plan("one")
    assert not world.registries[BASIC].log


def test_nulls_take_nothing_away(world: Any) -> None:
    """Neither a registry nor a field."""
    before = world.auths()
    world.open({"auths": {BASIC: None, OTHER: {**world.entry(), "email": None}, OCM: before[OCM]}})
    plan = world.plan("one")
    assert [change.name for change in plan.changes if not change.matches] == [OTHER]
    assert world.apply(plan) == {}
    after = world.auths()
    assert after[BASIC] == before[BASIC]
    assert after[OTHER]["email"] == "ops@example.com"


def test_only_an_email(world: Any) -> None:
    """It differs though no login does, and is written."""
    entry = world.auths()[BASIC]
    world.open({"auths": {BASIC: {**entry, "email": "jack@example.com"}}})
    plan = world.plan("one")
    assert plan.notes[0].text.startswith("joe → jack; registries: 1 same, but for e-mails and the like.")
    assert world.apply(plan) == {}
    assert world.auths()[BASIC]["email"] == "jack@example.com"


BROKEN = {
    "duplicate keys": '{"auths": {"registry.example.com": {"auth": "YTpi"}, "registry.example.com": {"auth": "YTpj"}}}',
    "no host": '{"auths": {"../../etc": {"auth": "YTpi"}}}',
    "a secret for a host": '{"auths": {"hunter2hunter2": {"auth": "YTpi"}}}',
    "no colon": '{"auths": {"registry.example.com": {"auth": "YWI="}}}',
    "not an object": '{"auths": {"registry.example.com": "YTpi"}}',
    "a list": '{"auths": [{"registry.example.com": "YTpi"}]}',
    "half a character": '{"auths": {"registry.example.com": {"auth": "\\ud800"}}}',
    "not a number": '{"auths": {"registry.example.com": {"auth": "YTpi", "x": NaN}}}',
    "deep": '{"auths": {"registry.example.com": {"auth": "YTpi", "x": ' + "[" * 500 + "]" * 500 + "}}}",
    "too long": '{"auths": {"registry.example.com": {"auth": "YTpi", "x": "' + "y" * 1_100_000 + '"}}}',
}


@pytest.mark.parametrize("document", BROKEN.values(), ids=BROKEN)
def test_broken_documents(world: Any, document: str) -> None:
    """Refused in words of ours, that repeat nothing of it but plausible hosts."""
    world.open(document)
    with pytest.raises(Refused, match=r"DataCorrupted|damaged") as raised:
        world.ask("sync", "one")
    assert "hunter2" not in str(raised.value)
    assert "etc" not in str(raised.value)
    assert len(str(raised.value)) < 700
    assert world.inventory()["one/pull-secret"].state == "due"
    assert world.writes() == []


OURS = {
    "invalid UTF-8": b'{"auths": {"cloud.openshift.com": {"auth": "\xff\xfe"}}}',
    "no JSON": b"nonsense",
    "empty": b"",
    "auth is a number": b'{"auths": {"cloud.openshift.com": {"auth": 5}}}',
}


@pytest.mark.parametrize("document", OURS.values(), ids=OURS)
def test_a_broken_pull_secret_in_the_cluster(world: Any, document: bytes) -> None:
    """It is said which cluster's cannot be read, and nothing is written over it."""
    world.put(document)
    world.open()
    with pytest.raises(Refused, match="pull secret of cluster one cannot be read"):
        world.ask("sync", "one")
    assert world.raw() == document


def test_duplicate_keys_in_the_cluster(world: Any) -> None:
    """Which one counts is not for the bot to say."""
    text = json.dumps({"auths": world.auths()})
    world.put(text[:-2] + f', "{OTHER}": {json.dumps(world.entry())}}}}}')
    world.open()
    with pytest.raises(Refused, match=r"cannot be merged: .* key twice"):
        world.ask("sync", "one")


@pytest.mark.parametrize("kind", ["Opaque", "kubernetes.io/dockercfg"])
def test_no_pull_secret(world: Any, kind: str) -> None:
    """One of another type, or none at all, is refused with the cluster's name."""
    world.put({"auths": {}}, type=kind)
    with pytest.raises(Refused, match="is no pull secret"):
        world.ask("sync", "one")
    world.clusters["one"].store.clear()
    with pytest.raises(Refused):
        world.ask("sync", "one")


@pytest.mark.slow  # so much of it takes its time
def test_a_mebibyte(world: Any) -> None:
    """Thousands of registries: the plan stays short, and all of them arrive; one more than a Secret can hold does not,
    and the old pull secret stays."""
    many = {f"r{n}.example.com": {"auth": base64.b64encode(f"u:{n:0200}".encode()).decode()} for n in range(3000)}
    world.put({"auths": {**world.auths(), **many}})
    assert 900_000 < len(world.raw()) < 1_048_576
    world.open({"auths": {OCM: world.auths()[OCM], BASIC: world.entry()}})
    plan = world.plan("one")
    assert len(plan.changes) == 2
    assert world.apply(plan, stages=1) == {}
    assert set(many) <= set(world.auths())
    world.ocm.close(world.ids["one"])
    more = {f"s{n}.example.com": {"auth": base64.b64encode(f"u:{n:0200}".encode()).decode()} for n in range(500)}
    world.open({"auths": more})
    with pytest.raises(Refused, match="would become longer"):
        world.ask("sync", "one")


def test_many_new_registries(world: Any) -> None:
    """Only some are tried and named; the rest is counted."""
    hosts = [f"r{n}.example.com" for n in range(60)]
    there = world.tools.registries._registries[BASIC]
    world.tools = replace(world.tools, registries=AskedRegistries(dict.fromkeys(hosts, there)))
    world.open({"auths": {host: world.entry() for host in hosts}})
    plan = world.plan("one")
    assert len(plan.changes) == 40
    assert len(world.registries[BASIC].log) == 80, "each is asked how it wants the login, and then with it"
    assert any("20 more new logins could not be tried" in said for said in plan.warnings)
    assert all(len(said) < 400 for said in plan.warnings)


def test_no_cluster_version(world: Any) -> None:
    """A cluster without an id is no OpenShift; one whose id is none cannot be asked about."""
    world.clusters["one"].put(
        kinds.CLUSTER_VERSION, {"metadata": {"name": "version"}, "spec": {"clusterID": "' or 1=1"}}
    )
    with pytest.raises(Refused, match="no UUID"):
        world.ask("sync", "one")
    world.clusters["one"].put(kinds.CLUSTER_VERSION, {"metadata": {"name": "version"}, "spec": {}})
    with pytest.raises(Refused, match="no ClusterVersion"):
        world.ask("sync", "one")
