"""Signature version 4 of a request, checked as AWS does: whose key, for which region and service, and is it right?"""

from __future__ import annotations

import calendar
import hashlib
import hmac
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

FORM = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/,]+)/(?P<day>\d{8})/(?P<region>[^/,]+)/(?P<service>[^/,]+)/aws4_request, ?"
    r"SignedHeaders=(?P<headers>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)
WINDOW = 900  # seconds that the time of a request may be off


@dataclass(frozen=True)
class Signed:
    """What a request says of its signature. `at`: seconds since the epoch; `stamp`: the same as it is written."""

    key: str
    region: str
    service: str
    token: str
    at: float
    stamp: str
    day: str
    names: tuple[str, ...]
    signature: str


def signed(headers: Mapping[str, str]) -> Signed | None:
    """None for a request that is not signed, or not so that it can be read."""
    form, stamp = FORM.fullmatch(headers.get("authorization", "")), headers.get("x-amz-date", "")
    try:
        at = calendar.timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        return None
    if form is None:
        return None
    return Signed(form["key"], form["region"], form["service"], headers.get("x-amz-security-token", ""), at, stamp,
                  form["day"], tuple(form["headers"].split(";")), form["signature"])  # fmt: skip


def right(asked: Signed, secret: str, path: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Was this POST signed with this secret key?"""
    lines = "".join(f"{name}:{' '.join(headers.get(name, '').split())}\n" for name in asked.names)
    canonical = "\n".join(["POST", quote(path), "", lines, ";".join(asked.names), hashlib.sha256(body).hexdigest()])
    scope = f"{asked.day}/{asked.region}/{asked.service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{asked.stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.compare_digest(hmac.digest(key, text.encode(), "sha256").hex(), asked.signature)


def untimely(asked: Signed, now: float) -> str:
    """AWS's words for a request that comes too early or too late by its clock, "" for one in time."""
    ours, bound = stamp(now), stamp(now - WINDOW)
    if asked.at < now - WINDOW:
        return f"Signature expired: {asked.stamp} is now earlier than {bound} ({ours} - 15 min.)"
    if asked.at > now + WINDOW:
        return f"Signature not yet current: {asked.stamp} is still later than {stamp(now + WINDOW)} ({ours} + 15 min.)"
    return ""


def stamp(at: float) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at))
