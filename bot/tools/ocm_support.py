"""What a cluster's Secret `support` says of its transfers: two of its keys are read, the others are logins."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bot.core.ocm import Wish, seconds
from bot.core.secret import Secret

ENDPOINT, INTERVAL = "clusterTransferEndpoint", "clusterTransferInterval"
ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]{0,500})?", re.ASCII)


def wished(support: Mapping[str, Secret]) -> Wish:
    """An endpoint that does not look like one, and an interval that is none, are told of but not repeated."""
    endpoint, interval = (_text(support, key) for key in (ENDPOINT, INTERVAL))
    address, length = endpoint if ADDRESS.fullmatch(endpoint) else "", seconds(interval)
    unclear = [
        key for key, said, read in ((ENDPOINT, endpoint, address), (INTERVAL, interval, length)) if said and not read
    ]
    return Wish(
        endpoint=address,
        interval=length,
        unclear=tuple(f"{key} in the cluster's Secret support cannot be understood." for key in unclear),
    )


def _text(support: Mapping[str, Secret], key: str) -> str:
    return support[key].reveal().strip() if key in support else ""
