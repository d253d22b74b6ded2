"""Settings of the clusters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from bot.sources import NotInClear, Part, SecretSource

POD = "/var/run/secrets/kubernetes.io/serviceaccount"  # what the kubelet mounts into every pod with an account
IN_CLUSTER = {
    "address": "https://kubernetes.default.svc",
    "ca_file": f"{POD}/ca.crt",
    "token": {"file": f"{POD}/token"},
}


class Cluster(Part):
    """A cluster. Without a login of the bot it is only asked whether it accepts somebody's token."""

    address: NotInClear = Field(description="https://api.cluster.example.com:6443")
    ca_file: Path | None = None
    token: SecretSource | None = Field(
        default=None, description="The bot's own login there: a service account's token. A file is read for each call."
    )
    in_cluster: bool = Field(
        default=False, description="The cluster that the bot runs in: address, CA and token are those of its pod."
    )
    timeout: float = Field(default=10, gt=0, le=120, description="Seconds for one call.")

    @model_validator(mode="before")
    @classmethod
    def _of_the_pod(cls, given: Any) -> Any:
        """What is given beside `in_cluster` wins."""
        return {**IN_CLUSTER, **given} if isinstance(given, dict) and given.get("in_cluster") is True else given
