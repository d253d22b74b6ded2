"""What a cluster itself says of its transfers: its ConfigMap `insights-config`, and before that came, its `support`."""

from __future__ import annotations

from typing import Any

import yaml

from bot.core.errors import Refused
from bot.core.kubernetes import CONFIG_MAP
from bot.core.ocm import Wish, seconds
from bot.core.ports import ReadTools
from handlers.pull_secret_clusters import INSIGHTS_KEY, INSIGHTS_NAME, INSIGHTS_NAMESPACE, NAMESPACE, SUPPORT

LONGEST = 65_536  # characters of a configuration that is looked at
UNCLEAR = f"{INSIGHTS_NAMESPACE}/{INSIGHTS_NAME} cannot be understood, so the bot's settings count."


def wish(cluster: str, tools: ReadTools) -> Wish:
    """Both, the ConfigMap first. One that may not be read is told of, and says nothing."""
    support, insights = _support(cluster, tools), _insights(cluster, tools)
    return Wish(
        endpoint=insights.endpoint or support.endpoint,
        interval=insights.interval or support.interval,
        unclear=(*insights.unclear, *support.unclear),
    )


def _support(cluster: str, tools: ReadTools) -> Wish:
    try:
        found = tools.kubernetes.secret(cluster, NAMESPACE, SUPPORT)
    except Refused as refusal:
        return Wish(unclear=(refusal.what,))
    return tools.ocm.wished(found.data) if found else Wish()


def _insights(cluster: str, tools: ReadTools) -> Wish:
    try:
        found = tools.kubernetes.find(cluster, CONFIG_MAP, INSIGHTS_NAME, INSIGHTS_NAMESPACE)
    except Refused as refusal:
        return Wish(unclear=(refusal.what,))
    data = found.get("data") if found else None
    text = data.get(INSIGHTS_KEY) if isinstance(data, dict) else None
    return read(text) if isinstance(text, str) else Wish()


def read(text: str) -> Wish:
    """Of the YAML `clusterTransfer: {endpoint: …, interval: 12h}`."""
    try:
        document: Any = yaml.safe_load(text) if len(text) <= LONGEST else ""
    except (yaml.YAMLError, ValueError, RecursionError):
        document = ""
    if document is None:
        return Wish()
    if not isinstance(document, dict):
        return Wish(unclear=(UNCLEAR,))
    transfer = document.get("clusterTransfer")
    return _of(transfer if isinstance(transfer, dict) else {})


def _of(transfer: dict[Any, Any]) -> Wish:
    endpoint, interval = (transfer.get(key) or "" for key in ("endpoint", "interval"))
    length = seconds(interval) if isinstance(interval, str) else None
    fits = isinstance(endpoint, str) and len(endpoint) <= 2000
    bad = (bool(interval) and length is None) or not fits
    return Wish(endpoint=endpoint if fits else "", interval=length, unclear=(UNCLEAR,) if bad else ())
