"""Clusters that say who a token is, asked with the official client. The client loads at the first call."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Mapping
from typing import Any

from bot.core.errors import Refused, Told, Transient
from bot.core.ports import Identity
from bot.core.secret import Secret
from bot.settings import Cluster
from bot.tools.address import host, is_http
from bot.tools.tls import distrusted

ANONYMOUS = "system:anonymous"
_LOADING = threading.Lock()
AGAIN = "Try again in a minute; if it goes on, check the network between the bot and the cluster."


class Clusters:
    """`bot.core.ports.Clusters`. Each question makes its own connection: the tokens of two questions never meet."""

    def __init__(self, clusters: Mapping[str, Cluster]) -> None:
        self._clusters = dict(clusters)

    def configured(self, cluster: str) -> bool:
        return cluster in self._clusters

    def who(self, cluster: str, token: Secret) -> Identity:
        settings = self._clusters.get(cluster)
        if settings is None:
            raise Refused(f"There is no address for cluster {cluster} in the settings.", "Add it under clusters.")
        where = f"Cluster {cluster} at {host(settings.address) or 'its address'}"
        _check(settings, token, where)
        _load()
        status, review = _ask(_review, settings, token, where)
        if status in (403, 404, 405):
            # 404: older than the review (1.28). 403: older too, or not allowed to ask; /apis is open to all it accepts.
            status, groups = _ask(_groups, settings, token, where)
            return _discovered(status, groups, where)
        if status != 200:
            raise _refusal(status, where)
        return _identified(_username(review), where)


def _load() -> None:
    """The client's modules import each other: two steps that load them at once would fail, or wait for one another."""
    with _LOADING:
        importlib.import_module("kubernetes.client")


def _check(settings: Cluster, token: Secret, where: str) -> None:
    """What the client would fail at in its own words, with the token in them."""
    if not is_http(settings.address):
        raise _no_address(where)
    text = token.reveal()
    if not text.isascii() or not text.isprintable() or " " in text:
        raise Refused(f"The token for {_lower(where)} has characters that no token has.", "Replace it.")


def _ask(question: Callable[[Any, float], Any], settings: Cluster, token: Secret, where: str) -> tuple[int, Any]:
    """The status and, on success, the client's object. Raises when nothing that a cluster could say came back."""
    from kubernetes.client import ApiClient, ApiException  # loads a few hundred models

    status, failure = 0, None
    try:
        with ApiClient(_configuration(settings), "Authorization", f"Bearer {token.reveal()}") as api:
            return 200, question(api, settings.timeout)
    except Exception as problem:
        # Everything: the client may fail in its own ways, and its text holds headers (http.client quotes the token).
        status = int(problem.status or 0) if isinstance(problem, ApiException) else 0
        failure = None if status else _unheard(problem, settings, where)
    if failure:
        raise failure  # outside the except block, so that the foreign error is not even its context
    return status, None


def _configuration(settings: Cluster) -> Any:
    """Nothing of it from the environment or a kubeconfig: no proxy, and the CA as the settings say."""
    import certifi
    from kubernetes.client import Configuration
    from urllib3 import Retry

    ca_file = str(settings.ca_file) if settings.ca_file else certifi.where()
    configuration = Configuration(host=settings.address.rstrip("/"), ssl_ca_cert=ca_file, proxy="", no_proxy="")
    configuration.retries = Retry(total=False)  # neither repeats nor redirects
    return configuration


def _review(api: Any, timeout: float) -> Any:
    from kubernetes.client import AuthenticationV1Api, V1SelfSubjectReview

    body = V1SelfSubjectReview(api_version="authentication.k8s.io/v1", kind="SelfSubjectReview")
    return AuthenticationV1Api(api).create_self_subject_review(body, _request_timeout=timeout)


def _groups(api: Any, timeout: float) -> Any:
    from kubernetes.client import ApisApi

    return ApisApi(api).get_api_versions(_request_timeout=timeout)


def _username(review: Any) -> str | None:
    """The name in a SelfSubjectReview; a server may leave out any part of it."""
    user = getattr(getattr(review, "status", None), "user_info", None)
    name = getattr(user, "username", None)
    return name if isinstance(name, str) and name else None


def _identified(name: str | None, where: str) -> Identity:
    if name is None:
        raise _misshapen(where)
    if name == ANONYMOUS:
        raise _refusal(401, where)
    return Identity(name=name)


def _discovered(status: int, groups: Any, where: str) -> Identity:
    if status != 200:
        raise _refusal(status, where)
    if getattr(groups, "kind", None) != "APIGroupList":
        raise _misshapen(where)
    return Identity(name=None)


def _refusal(status: int, where: str) -> Told:
    if status == 401:
        return Refused(
            f"{where} does not accept the token (401).", "It was revoked or replaced, or is for another cluster."
        )
    if status == 403:
        return Refused(
            f"{where} does not say who the token is (403).",
            "The token may be nobody's there; if it is in order, its account needs the role system:discovery.",
        )
    if 300 <= status < 400:
        return Refused(
            f"{where} sent the bot to another address ({status}); it does not follow with a token.",
            "Set the cluster's address to its API server.",
        )
    if status == 429 or status >= 500:
        return Transient(f"{where} could not say who a token is ({status}).", "Try again in a minute.")
    return Refused(f"{where} did not understand who it was asked about ({status}).", "Check the cluster's address.")


def _misshapen(where: str) -> Transient:
    return Transient(
        f"What answers as {_lower(where)} does not speak like Kubernetes.",
        "Check that the address is the API server itself and not a login page or a proxy.",
    )


def _unheard(problem: Exception, settings: Cluster, where: str) -> Told:
    """The error for a question that got no answer, or none that the client understands."""
    from urllib3.exceptions import HTTPError, NewConnectionError, TimeoutError

    if told := _misconfigured(problem, settings, where):
        return told
    if isinstance(problem, TimeoutError) and not isinstance(problem, NewConnectionError):  # urllib3 counts it as one
        return Transient(f"{where} did not answer within {settings.timeout:g} s.", AGAIN)
    if isinstance(problem, HTTPError | OSError):
        return Transient(f"The connection to {_lower(where)} failed.", AGAIN)
    return _misshapen(where)


def _misconfigured(problem: Exception, settings: Cluster, where: str) -> Told | None:
    """What no second try will mend."""
    from urllib3.exceptions import LocationParseError

    if distrusted(problem):
        return Refused(f"{where} shows a certificate that the bot does not trust.", "Check the cluster's ca_file.")
    if isinstance(problem, LocationParseError):
        return _no_address(where)
    if isinstance(problem, OSError) and settings.ca_file and not settings.ca_file.is_file():
        return Refused(f"The CA file of {_lower(where)} is not there.", "Correct ca_file in the settings.")
    return None


def _no_address(where: str) -> Refused:
    return Refused(f"{where} has no http or https address.", "Correct its address in the settings.")


def _lower(where: str) -> str:
    return where[0].lower() + where[1:]
