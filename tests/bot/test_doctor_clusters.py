"""The doctor in clusters: whether they answer, whom they take the bot for, and which right is missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.app import Parts
from bot.core.handler import ClusterNeed
from bot.core.kubernetes import Access
from bot.doctor_clusters import clusters
from bot.findings import Finding
from bot.settings import parse
from bot.tools.kubernetes_reader import ClusterReader
from playground import kubernetes as playing
from tests.conftest import Canary
from tests.kube import Kube

COMMAND = "rotate-hive-tokens"
GET = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}


@pytest.fixture
def kube() -> Iterator[Kube]:
    with playing.serve() as (cluster, server):
        yield Kube(server.url, cluster.admin)


def parts(folder: Path, canary: Canary, address: str, token: str) -> Parts:
    file = folder / "token"
    file.touch(mode=0o600)
    file.write_text(token)
    canary.may_hold(file)
    known = {"dev": {"address": address, "token": {"file": str(file)}}, "hive": {"address": address}}
    return Parts(parse({"data_dir": str(folder / "data"), "clusters": known}, "settings of the test"))


def looked(made: Parts, *needs: Access) -> dict[str, Finding]:
    wanted = tuple(ClusterNeed(cluster="dev", access=access, reason="a test") for access in needs)
    handler = replace(made.handlers[COMMAND], needs=lambda _: wanted)
    return {finding.subject: finding for finding in clusters(made, {COMMAND: handler})}


def access(verb: str, resource: str = "secrets", group: str = "") -> Access:
    return Access(verb=verb, resource=resource, group=group, namespace="cf-dev")


def test_rights_that_are_there_and_that_are_not(kube: Kube, tmp_path: Path, canary: Canary) -> None:
    """The version and the account are told; of the rights those that are missing, with verb, resource and place."""
    kube.namespace("cf-dev")
    token = canary.add("bot", kube.account("cf-dev", rules=[GET]))
    made = parts(tmp_path, canary, kube.url, token)
    found = looked(made, access("get"))
    assert found["cluster dev"].told == "it is v1.33.1 and accepts the bot's login as system:serviceaccount:cf-dev:bot."
    assert found[f"cluster dev for /{COMMAND}"].good
    found = looked(made, access("get"), access("update"), access("patch", "deployments", "apps"))
    lacking = found[f"cluster dev for /{COMMAND}"]
    assert lacking.good is False
    assert "update secrets in cf-dev (a test), patch deployments.apps in cf-dev (a test)" in lacking.told
    assert "get secrets" not in lacking.told
    assert "deploy/rbac" in lacking.now


def test_many_lacking_rights_are_counted(kube: Kube, tmp_path: Path, canary: Canary) -> None:
    """A finding stays one line, however many namespaces there are."""
    kube.namespace("cf-dev")
    token = canary.add("bot", kube.account("cf-dev"))
    needs = [access("get", f"things{n}") for n in range(40)]
    told = looked(parts(tmp_path, canary, kube.url, token), *needs)[f"cluster dev for /{COMMAND}"].told
    assert "and 34 more" in told
    assert len(told) < 400


def test_a_login_that_is_not_accepted(kube: Kube, tmp_path: Path, canary: Canary) -> None:
    """It is told as that, and rights are not asked for; a cluster without a login only has to answer."""
    found = looked(parts(tmp_path, canary, kube.url, canary("wrong")), access("get"))
    assert set(found) == {"cluster dev", "cluster hive"}
    assert "does not accept the bot's login (401)" in found["cluster dev"].told
    assert found["cluster hive"].told == "it answers."


def test_planning_cannot_write_to_clusters(tmp_path: Path, canary: Canary) -> None:
    """The clusters that planning gets have no method to write, at run time too."""
    made = parts(tmp_path, canary, "http://127.0.0.1:1", canary("bot"))
    reader: Any = made.read_tools.kubernetes
    assert type(reader) is ClusterReader
    assert reader.clusters() == ("dev",)
    assert not hasattr(reader, "write_secret")
    assert hasattr(made.tools.kubernetes, "write_secret")
