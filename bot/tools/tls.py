"""Was it the certificate? HTTP clients wrap the answer in layers of their own errors."""

from __future__ import annotations

import ssl
from collections.abc import Iterator


def distrusted(problem: BaseException) -> bool:
    """Did the other side's certificate fail the check?"""
    return any(isinstance(link, ssl.SSLCertVerificationError) for link in links(problem))


def links(problem: BaseException) -> Iterator[BaseException]:
    """The error and all that it came from, each once."""
    return _links(problem, set())


def _links(problem: object, seen: set[int]) -> Iterator[BaseException]:
    """requests and urllib3 wrap errors in arguments and `reason`, not only in causes."""
    if not isinstance(problem, BaseException) or id(problem) in seen:
        return
    seen.add(id(problem))
    yield problem
    for link in (problem.__cause__, problem.__context__, getattr(problem, "reason", None), *problem.args):
        yield from _links(link, seen)
