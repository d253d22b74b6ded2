"""Container registries: would a node with this login get this image? Asked as a node asks, step by step.

First `/v2/` without a login: the registry says how it wants it. Basic goes with the question itself; for Bearer its
token service is asked first. A failure is an answer.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace

from bot.cloud import Registry
from bot.core import registry
from bot.core.errors import Refused
from bot.core.registry import HOST, Image, Login, Pull
from bot.tools import docker_hosts, registry_told
from bot.tools.challenges import Challenge
from bot.tools.registry_told import Question
from bot.tools.registry_wire import Heard, Line

MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
    "application/json;q=0.5",
)
ACCEPT = {"Accept": ", ".join(MANIFESTS)}
PLAIN = {"Accept": "application/json"}
LONGEST_TOKEN = 32_768  # characters


class AskedRegistries:
    """Implements `bot.core.registry.Registries`. Thread-safe; nothing is kept between questions."""

    def __init__(self, registries: Mapping[str, Registry]) -> None:
        self._registries = dict(registries)

    def pull(self, image: Image, login: Login | None) -> Pull:
        """The outcome for the image's manifest; its layers are not asked for."""
        try:
            named = registry.image(str(image))
        except Refused as refused:
            return Pull(outcome="error", told=refused.what)
        return self._ask(Question(named.host, named, login))

    def accepts(self, host: str, login: Login | None) -> Pull:
        """`host` as it stands in a credentials document; the path of one for a part of a registry does not count."""
        name = docker_hosts.place(host).host
        if HOST.fullmatch(name) is None:
            return Pull(outcome="not_a_registry", told="That is not the name of one registry.")
        return self._ask(Question(name, None, login))

    def _ask(self, question: Question) -> Pull:
        line = Line(question.host, self._registries)
        first = line.get("/v2/", PLAIN)
        if first.answer.how != "answered":
            return registry_told.silence(first.answer, question.where, line.seconds)
        if trouble := registry_told.stranger(question, first):
            return trouble
        if first.answer.status == 200:
            anybody = _asked(line, replace(question, login=None), {})
            return anybody.model_copy(update={"tried": question.login is None})
        for challenge in first.challenges:
            if challenge.scheme == "basic":
                return _basic(line, question)
            if challenge.scheme == "bearer":
                return _bearer(line, question, challenge)
        return question.pull("error", "asks for a kind of login that the bot does not know (401).", 401)


def _basic(line: Line, question: Question) -> Pull:
    if question.login is None:
        return question.pull("unauthorized", "asks for a login, and there is none (401).", 401)
    return _asked(line, question, _authorization(question.login))


def _bearer(line: Line, question: Question, challenge: Challenge) -> Pull:
    asked, image = replace(question, stage="token"), question.image
    params = {"service": challenge.parameters["service"]} if "service" in challenge.parameters else {}
    params |= {"scope": f"repository:{image.repository}:pull"} if image else {}
    heard = line.token(challenge.parameters.get("realm", ""), PLAIN | _authorization(question.login), params)
    if heard is None:
        return question.pull("error", "names a token service that no login may be sent to.", 401)
    if heard.answer.how != "answered":
        return registry_told.silence(heard.answer, f"The token service of the registry {line.host}", line.seconds)
    if heard.answer.status != 200:
        return registry_told.failure(asked, heard)
    token = _token(heard)
    if token is None:
        return question.pull("error", "has a token service that gives no token (200).", 200)
    return _asked(line, replace(question, stage="bearer"), {"Authorization": f"Bearer {token}"})


def _asked(line: Line, question: Question, authorization: Mapping[str, str]) -> Pull:
    """The question itself."""
    image = question.image
    path = f"/v2/{image.repository}/manifests/{image.reference}" if image else "/v2/"
    heard = line.get(path, {**(ACCEPT if image else PLAIN), **authorization})
    if heard.answer.how != "answered":
        return registry_told.silence(heard.answer, question.where, line.seconds)
    if heard.answer.status == 200:
        return registry_told.success(question, heard.answer)
    return registry_told.failure(question, heard)


def _authorization(login: Login | None) -> dict[str, str]:
    if login is None:
        return {}
    plain = f"{login.user}:{login.password.reveal()}".encode("utf-8", "surrogatepass")
    return {"Authorization": f"Basic {base64.b64encode(plain).decode()}"}


def _token(heard: Heard) -> str | None:
    told = heard.answer.object or {}
    token = told.get("token") or told.get("access_token")
    if not isinstance(token, str) or len(token) > LONGEST_TOKEN:
        return None
    return token if token.isascii() and token.isprintable() and " " not in token else None
