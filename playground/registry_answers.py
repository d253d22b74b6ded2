"""How registries word their answers: ECR (old and new) and quay.io (upstream.md, seed 004, "Registry HTTP")."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import Any, Literal, Protocol

from starlette.responses import Response

Word = Literal["ok", "unauthorized", "expired", "denied", "no_repository", "no_tag", "rate_limited", "error"]
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
PAGE = "<!doctype html><title>Welcome</title><h1>This is some other server</h1>"
VERSION = {"Docker-Distribution-Api-Version": "registry/2.0"}


class Answers(Protocol):
    headers: dict[str, str]

    def welcome(self) -> Response: ...
    def unauthorized(self, repository: str = "") -> Response: ...
    def expired(self) -> Response: ...
    def denied(self, principal: str, repository: str) -> Response: ...
    def missing(self, name: str, *, repository: bool) -> Response: ...
    def unknown(self) -> Response: ...
    def fault(self, state: str | int) -> Response: ...


class EcrAnswers:
    """`old`: without the reason of a denial, and with the older, plain text for an expired token."""

    headers = VERSION

    def __init__(self, host: str, *, old: bool = False) -> None:
        self._host, self._old = host, old
        account, _, _, region, *_ = [*host.split("."), "", "", "", ""]
        self._account, self._region = account, region

    def welcome(self) -> Response:
        return _json(200, {})

    def unauthorized(self, repository: str = "") -> Response:  # noqa: ARG002 - the other kind needs it
        realm = f'Basic realm="https://{self._host}/",service="ecr.amazonaws.com"'
        return Response("Not Authorized\n", 401, {**VERSION, "Www-Authenticate": realm}, "text/plain; charset=utf-8")

    def expired(self) -> Response:
        if self._old:
            said = "Your Authorization Token has expired. Please run 'aws ecr get-login' to fetch a new one."
            return Response(said, 403, VERSION, "text/plain")
        return _error(403, "DENIED", "Your authorization token has expired. Reauthenticate and try again.")

    def denied(self, principal: str, repository: str) -> Response:
        return _error(403, "DENIED", self.denial(principal, repository))

    def denial(self, principal: str, repository: str) -> str:
        """The sentence that names who may not do what."""
        action = "ecr:BatchGetImage"
        resource = f"arn:aws:ecr:{self._region}:{self._account}:repository/{repository}"
        why = "" if self._old else f" because no resource-based policy allows the {action} action"
        return f"User: {principal} is not authorized to perform: {action} on resource: {resource}{why}"

    def missing(self, name: str, *, repository: bool) -> Response:
        if repository:
            said = f"The repository with name '{name}' does not exist in the registry with id '{self._account}'"
            return _error(404, "NAME_UNKNOWN", said)
        return _error(404, "MANIFEST_UNKNOWN", "Requested image not found")

    def unknown(self) -> Response:
        return _error(404, "UNSUPPORTED", "no such resource")

    def fault(self, state: str | int) -> Response:
        return _fault(state, "Rate exceeded")


class QuayAnswers:
    """`base`: where the token service is, as clients reach it."""

    headers = VERSION

    def __init__(self, host: str, base: str) -> None:
        self._host, self._base = host, base

    def welcome(self) -> Response:
        return Response("true", headers=VERSION, media_type="application/json")

    def unauthorized(self, repository: str = "") -> Response:
        return self._unauthorized("access to the requested resource is not authorized", repository)

    def expired(self) -> Response:
        return self._unauthorized("The token has expired")

    def denied(self, principal: str, repository: str) -> Response:  # noqa: ARG002 - the other kind needs it
        return self._unauthorized(
            "access to the requested resource is not authorized", repository, "insufficient_scope"
        )

    def missing(self, name: str, *, repository: bool) -> Response:  # noqa: ARG002 - the other kind needs it
        code = "NAME_UNKNOWN" if repository else "MANIFEST_UNKNOWN"
        return _error(404, code, "repository name not known to registry" if repository else "manifest unknown")

    def unknown(self) -> Response:
        return _error(404, "UNSUPPORTED", "no such resource")

    def fault(self, state: str | int) -> Response:
        return _fault(state, "Too many requests")

    def _unauthorized(self, said: str, repository: str = "", error: str = "") -> Response:
        challenge = f'Bearer realm="{self._base}/v2/auth",service="{self._host}"'
        challenge += f',scope="repository:{repository}:pull"' if repository else ""
        challenge += f',error="{error}"' if error else ""
        answer = _error(401, "UNAUTHORIZED", said)
        answer.headers["WWW-Authenticate"] = challenge
        return answer


def basic(header: str) -> tuple[str, str]:
    """User and password of an Authorization header; "" and "" if it holds none."""
    try:
        user, _, password = base64.b64decode(header.removeprefix("Basic "), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return (user, password) if header.startswith("Basic ") else ("", "")


def manifest(seed: str, platforms: tuple[str, ...]) -> tuple[str, bytes]:
    """A made-up manifest: its media type and its content. For platforms ("linux/arm64") a list."""
    if platforms:
        listed = [_descriptor(DOCKER, f"{seed} {each}") | {"platform": _platform(each)} for each in platforms]
        return DOCKER_LIST, _bytes({"schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": listed})
    config = _descriptor("application/vnd.docker.container.image.v1+json", f"{seed} config")
    layers = [_descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip", f"{seed} layer")]
    return DOCKER, _bytes({"schemaVersion": 2, "mediaType": DOCKER, "config": config, "layers": layers})


def token(word: str) -> Response:
    return _json(200, {"token": word})


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _descriptor(kind: str, seed: str) -> dict[str, Any]:
    return {"mediaType": kind, "size": 1000, "digest": digest(seed.encode())}


def _platform(text: str) -> dict[str, str]:
    return dict(zip(("os", "architecture", "variant"), text.split("/"), strict=False))


def _fault(state: str | int, limited: str) -> Response:
    if state == "limited":
        return _error(429, "TOOMANYREQUESTS", limited)
    return Response(PAGE, state if isinstance(state, int) else 200, media_type="text/html")


def _error(status: int, code: str, message: str) -> Response:
    return _json(status, {"errors": [{"code": code, "message": message}]})


def _json(status: int, body: Any) -> Response:
    return Response(_bytes(body), status, VERSION, "application/json; charset=utf-8")


def _bytes(document: Any) -> bytes:
    return json.dumps(document).encode()
