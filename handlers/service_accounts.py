"""What the claims of a Kubernetes service-account token say, judged without a cluster (upstream.md, seed 000).

Legacy tokens carry flat claims and no dates; bound tokens (TokenRequest API) carry a nested claim, an issuer and `exp`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from bot.core.errors import Refused
from bot.core.value import Value

LEGACY_ISSUER = "kubernetes/serviceaccount"
FLAT = "kubernetes.io/serviceaccount/"
NESTED = "kubernetes.io"


class Expected(Value):
    """Whose token it has to be. `issuer`: the cluster's, for bound tokens; None: any."""

    namespace: str
    name: str
    cluster: str
    issuer: str | None = None

    @property
    def subject(self) -> str:
        return f"system:serviceaccount:{self.namespace}:{self.name}"


def judge(claims: Mapping[str, Any], expected: Expected, where: str, now: float, warn_before: float) -> tuple[str, ...]:
    """Warnings about a token that may be used; Refused if it may not. Times are seconds, `now` since the epoch."""
    _check_account(claims, expected, where)
    _check_cluster(claims, expected, where)
    return (*_check_dates(claims, where, now, warn_before), *_short_lived(claims, where))


def _check_account(claims: Mapping[str, Any], expected: Expected, where: str) -> None:
    subject = claims.get("sub")
    if subject != expected.subject:
        raise _refused(where, f"is for {_said(subject)}, not for {expected.subject}")
    namespace, name = _account(claims)
    if namespace is None:
        raise _refused(where, "does not say which namespace it is for, so it is no service-account token")
    if namespace != expected.namespace:
        raise _refused(where, f"is for the namespace {_said(namespace)}, not for {expected.namespace}")
    if name != expected.name:
        raise _refused(where, f"is for the service account {_said(name)}, not for {expected.name}")


def _account(claims: Mapping[str, Any]) -> tuple[Any, Any]:
    """Namespace and service account, from the nested claim of a bound token or the flat ones of a legacy token."""
    nested = _mapping(claims.get(NESTED))
    if nested:
        return nested.get("namespace"), _mapping(nested.get("serviceaccount")).get("name")
    return claims.get(FLAT + "namespace"), claims.get(FLAT + "service-account.name")


def _check_cluster(claims: Mapping[str, Any], expected: Expected, where: str) -> None:
    """A legacy token does not name its cluster; only asking the cluster tells."""
    issuer = claims.get("iss")
    if issuer == LEGACY_ISSUER or expected.issuer is None:
        return
    if issuer != expected.issuer:
        raise _refused(where, f"was issued by {_said(issuer)}, not by {expected.cluster} ({expected.issuer})")


def _check_dates(claims: Mapping[str, Any], where: str, now: float, warn_before: float) -> tuple[str, ...]:
    expires, begins = _date(claims, "exp", where), _date(claims, "nbf", where)
    if expires is not None and expires <= now:
        raise _refused(where, f"expired {_span(now - expires)} ago")
    if begins is not None and begins > now + 60:  # clocks of two machines may differ a little
        raise _refused(where, f"is valid only in {_span(begins - now)}")
    if expires is not None and expires - now < warn_before:
        return (f"The token in {where} expires in {_span(expires - now)}.",)
    return ()


def _short_lived(claims: Mapping[str, Any], where: str) -> tuple[str, ...]:
    if _mapping(claims.get(NESTED)).get("pod"):
        return (f"The token in {where} is bound to a pod and dies with it.",)
    return ()


def _date(claims: Mapping[str, Any], name: str, where: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not _finite(value):
        raise _refused(where, f"has no readable date in its claim {name}")
    return float(value)


def _finite(value: float) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _said(value: Any) -> str:
    """A claim as it may be shown: one short printable line."""
    if not isinstance(value, str) or not value:
        return "nobody" if value is None else "something that is not a name"
    line = "".join(c if c.isprintable() else "?" for c in value)
    return line if len(line) <= 120 else line[:119] + "…"


def _span(seconds: float) -> str:
    """A length of time in its largest unit: "45 min", "2 h", "3 days"."""
    if seconds < 2 * 3600:
        return f"{max(1, round(seconds / 60))} min"
    return f"{round(seconds / 3600)} h" if seconds < 2 * 86400 else f"{round(seconds / 86400)} days"


def _refused(where: str, why: str) -> Refused:
    return Refused(
        f"The token in {where} {why}.", "Nothing was changed; correct the source or the settings, then ask again."
    )
