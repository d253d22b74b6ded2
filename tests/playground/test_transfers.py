"""The demo's transfers of clusters without a bot: what its buttons do."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from playground.kubernetes_kinds import MACHINE_CONFIG_POOL, SECRET
from playground.ocm_scenarios import TransferDeeds
from playground.pull_secrets import CLUSTERS, DEV, PROD, PullSecrets
from playground.transfers import NAME, NAMESPACE, Transfers, cluster_id

NOW = 1.9e9


@pytest.fixture
def transfers() -> Transfers:
    return PullSecrets(lambda: NOW).transfers


def auths(transfers: Transfers, cluster: str) -> dict[str, Any]:
    found = transfers._clusters[cluster].get(SECRET, NAME, NAMESPACE)
    assert found
    return dict(json.loads(base64.b64decode(found["data"][".dockerconfigjson"]))["auths"])


def test_at_first_no_transfer_is_open(transfers: Transfers) -> None:
    """Each cluster has a pull secret of its own; the mirror is its owner's, with an e-mail."""
    for cluster in CLUSTERS:
        assert transfers.ocm.accepted(cluster_id(cluster)) == []
        assert list(auths(transfers, cluster)) == ["cloud.openshift.com", "quay.io", "mirror.example.com"]
        assert auths(transfers, cluster)["mirror.example.com"]["email"]


def test_a_transfer_ends_the_one_before(transfers: Transfers) -> None:
    """Pressed twice, there is still one, with other logins, for 47 hours."""
    deeds = TransferDeeds(transfers)
    deeds.transfer()
    first = transfers.ocm.accepted(cluster_id(PROD))[0]
    deeds.transfer()
    (second,) = transfers.ocm.accepted(cluster_id(PROD))
    assert second.document != first.document
    assert second.closes_at == NOW + 47 * 3600
    assert transfers.ocm.accepted(cluster_id(DEV)) == []


def test_corrupt_makes_one_if_there_is_none(transfers: Transfers) -> None:
    """What waits then is no JSON."""
    TransferDeeds(transfers).corrupt()
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(transfers.ocm.accepted(cluster_id(PROD))[0].document)


def test_paused_until_all_is_mended(transfers: Transfers) -> None:
    """Only the workers; the hosted cluster has no pools at all."""
    deeds, prod = TransferDeeds(transfers), transfers._clusters[PROD]
    deeds.pause(), deeds.down()
    paused = {pool["metadata"]["name"]: pool["spec"].get("paused") for pool in prod.store.all(MACHINE_CONFIG_POOL)}
    assert paused == {"master": False, "worker": True}
    assert MACHINE_CONFIG_POOL not in transfers._clusters[DEV].kinds
    deeds.mend()
    assert not any(pool["spec"].get("paused") for pool in prod.store.all(MACHINE_CONFIG_POOL))
    assert transfers.ocm.faults.hit("") is None
