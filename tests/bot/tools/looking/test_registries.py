"""Registries asked as nodes ask them: each way of failing has its words, and a login goes nowhere else."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.cloud import Registry
from bot.core.registry import Image, Login, Pull, image
from bot.core.secret import Secret
from bot.tools import registry_told
from bot.tools.challenges import Challenge
from bot.tools.http_answer import Answer
from bot.tools.registries import AskedRegistries
from bot.tools.registry_told import Question
from bot.tools.registry_wire import Heard, Line
from playground import broken
from playground.registry import RegistryStandIn

ECR = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
WHO = "arn:aws:iam::210987654321:user/ci"
RESOURCE = "arn:aws:ecr:us-east-1:123456789012:repository/team/app"


class Place:
    """A stand-in at `served`, the made-up login that is good there, and the bot's tool for it."""

    def __init__(self, served: Any, word: str, kind: Any, host: str) -> None:
        self.principal: str | None = WHO
        self.login = Login("AWS", Secret(word))
        self.host, self.url = host, served.url
        self.registry = RegistryStandIn(host, lambda _, given: self.principal if given == word else None, kind=kind)
        self.registry.add("team/app", "v1", pullers=(WHO,))
        served.app = self.registry.app()
        self.tool = AskedRegistries({host: Registry(address=served.url, timeout=60)})

    def pull(self, name: str = "team/app:v1") -> Pull:
        return self.tool.pull(image(f"{self.host}/{name}"), self.login)


@pytest.fixture
def ecr(served: Any, canary: Callable[[str], str]) -> Place:
    return Place(served, canary("password"), "ecr", ECR)


@pytest.fixture
def quay(served: Any, canary: Callable[[str], str]) -> Place:
    return Place(served, canary("password"), "quay", "quay.io")


@pytest.mark.parametrize("old", [False, True], ids=["new words", "old words"])
def test_an_expired_login(ecr: Place, old: bool) -> None:
    """ECR says 403 for a token that was good once, today in JSON and once in plain text: it has expired."""
    ecr.principal, ecr.registry.old_words = "expired", old
    for pull in (ecr.pull(), ecr.tool.accepts(ECR, ecr.login)):
        assert (pull.outcome, pull.status) == ("expired", 403)
        assert pull.told == f"The registry {ECR} says that the login has expired (403)."


@pytest.mark.parametrize("old", [False, True], ids=["new words", "old words"])
def test_a_denial_across_accounts(ecr: Place, old: bool) -> None:
    """`/v2/` takes any principal; the manifest's denial names principal, action and resource."""
    ecr.registry.add("team/app", "v1", pullers=("arn:aws:iam::123456789012:root",))
    ecr.registry.old_words = old
    assert ecr.tool.accepts(ECR, ecr.login).outcome == "ok"
    pull = ecr.pull()
    assert (pull.outcome, pull.status) == ("denied", 403)
    assert (pull.principal, pull.action, pull.resource) == (WHO, "ecr:BatchGetImage", RESOURCE)
    assert f"let {WHO} do ecr:BatchGetImage on {RESOURCE}" in pull.told


def test_a_wrong_login(ecr: Place, quay: Place, served: Any) -> None:
    """ECR's plain text and quay's JSON say the same: this is no login. Without one at ECR nothing more is asked."""
    for place in (ecr, quay):
        served.app, place.principal = place.registry.app(), None
        assert place.pull().told == f"The registry {place.host} does not accept the login (401)."
        place.registry.log.clear()
        pull = place.tool.pull(image(f"{place.host}/team/app:v1"), None)
        assert pull.told == f"The registry {place.host} asks for a login for team/app:v1, and there is none (401)." or (
            place is ecr and pull.told == f"The registry {ECR} asks for a login, and there is none (401)."
        )
    assert ecr.registry.log == [("GET", "/v2/", "")]


def test_images_that_are_not_there(ecr: Place) -> None:
    """A repository and a tag that do not exist are told apart."""
    assert ecr.pull("team/none:v1").told == f"The registry {ECR} has no repository team/none (404)."
    missing = ecr.pull("team/app:none")
    assert (missing.outcome, missing.told) == ("no_tag", f"The registry {ECR} does not have team/app:none (404).")


def test_an_image_for_all(quay: Place) -> None:
    """A public image is given without a login; a wrong login does not get it, as no node would."""
    quay.registry.add("team/open", "v1", platforms=("linux/s390x", "unknown/unknown"), public=True)
    named = image("quay.io/team/open:v1")
    pull = quay.tool.pull(named, None)
    assert (pull.outcome, pull.platforms) == ("ok", ("linux/s390x",))
    assert quay.tool.pull(named, Login("AWS", Secret("wrong"))).outcome == "unauthorized"


@pytest.mark.parametrize(
    ("state", "outcome"),
    [("limited", "rate_limited"), ("html", "not_a_registry"), (500, "error"), (503, "error"), (404, "not_a_registry"),
     (403, "not_a_registry"), (302, "not_a_registry"), (401, "not_a_registry")],
)  # fmt: skip
def test_what_else_answers(ecr: Place, state: Any, outcome: str) -> None:
    """Limits and failures of a registry, and what is none."""
    ecr.registry.state = state
    assert ecr.pull().outcome == ecr.tool.accepts(ECR, None).outcome == outcome


def test_a_registry_that_asks_for_nothing(served: Any) -> None:
    """An open registry says nothing about the login, and that is how it is told."""
    served.app = Starlette(routes=[Route("/v2/", lambda _: JSONResponse({}))])
    tool = AskedRegistries({"registry.example.com": Registry(address=served.url)})
    pull = tool.accepts("registry.example.com", Login("a", Secret("b")))
    assert (pull.outcome, pull.told) == ("ok", "The registry registry.example.com answers without a login.")
    assert not pull.tried


def network(address: str, **more: Any) -> Pull:
    tool = AskedRegistries({"registry.example.com": Registry(address=address, **more)})
    return tool.pull(image("registry.example.com/team/app:v1"), Login("a", Secret("b")))


def test_networks(make_certificate: Any, tls: Any, ecr: Place) -> None:
    """Name resolution, a closed port, silence, a cut answer and certificates each have their outcome."""
    unknown = AskedRegistries({}).accepts("registry.invalid", None)
    assert unknown.outcome == "dns"
    assert unknown.told == "The host name of the registry registry.invalid cannot be resolved."
    assert network(f"http://127.0.0.1:{broken.unused_port()}").outcome == "unreachable"
    with broken.broken(broken.silent) as server:
        assert network(server.url, timeout=0.1).outcome == "timeout"
    with broken.broken(broken.cut(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{")) as server:
        assert network(server.url).outcome == "unreachable"
    good, key = make_certificate("good")
    with tls(ecr.registry.app(), good, key) as address:
        assert network(address).outcome == "tls"
        assert network(address, ca_file=good).outcome == "unauthorized"


def test_one_time_for_all(ecr: Place) -> None:
    """The timeout is that of the whole question, login included, not of each request."""
    ecr.registry.delay = 0.6
    tool = AskedRegistries({ECR: Registry(address=ecr.url, timeout=1)})
    pull = tool.pull(image(f"{ECR}/team/app:v1"), ecr.login)
    assert (pull.outcome, pull.told) == ("timeout", f"The registry {ECR} did not answer within 1 s.")


class Trap:
    """A registry that wants to have the login somewhere else. `heard`: the logins that came, by path."""

    def __init__(self, realm: str = "", status: int = 401) -> None:
        self.realm, self.status = realm, status
        self.scheme = "Bearer"
        self.heard: list[tuple[str, str]] = []

    async def endpoint(self, request: Request) -> Response:
        sent = request.headers.get("Authorization", "")
        self.heard.append((request.url.path, sent.partition(" ")[0]))
        if request.url.path == "/token":
            return JSONResponse({"token": "x"}, self.status if self.status != 401 else 200)
        if not sent:
            return Response(
                status_code=401, headers={"WWW-Authenticate": f'{self.scheme} realm="{self.realm}",service="s"'}
            )
        return Response(status_code=307, headers={"Location": "/elsewhere"})


@pytest.fixture
def trap(served: Any) -> Trap:
    made = Trap()
    served.app = Starlette(routes=[Route("/{path:path}", made.endpoint)])
    return made


@pytest.mark.parametrize(
    "realm",
    ["http://auth.example.com/token", "ftp://127.0.0.1/token", "", "https://", "https://a@auth.example.com/token", "/token",
     "https://auth.example.com:x/token", "https://auth.example.com:99999/", "https://auth.example.com\\@127.0.0.1/", "https://ä.example.com/",
     "https://auth.example.com/" + "x" * 3000],
)  # fmt: skip
def test_places_that_get_no_login(served: Any, trap: Trap, realm: str) -> None:
    """A token service over http, or at no address, gets nothing at all."""
    trap.realm = realm.encode().decode("latin-1")
    pull = network(served.url)
    assert (pull.outcome, pull.told.endswith("names a token service that no login may be sent to.")) == ("error", True)
    assert trap.heard == [("/v2/", "")]


def test_a_token_service_on_this_machine_is_for_registries_on_this_machine(served: Any, trap: Trap) -> None:
    """http on loopback is good enough for a registry that the settings map there, for no other."""
    trap.realm = f"{served.url}/token"
    assert network(served.url).outcome == "error"  # for the redirect, see below
    assert ("/token", "Basic") in trap.heard
    elsewhere = {"registry.example.com": Registry(address="https://registry.example.com")}
    assert Line("registry.example.com", elsewhere).token(trap.realm, {}, {}) is None


def test_a_token_service_that_the_settings_map(served: Any, trap: Trap) -> None:
    """A registry's token service is reached where the settings say that its host is."""
    trap.realm = "https://registry.example.com/token?account=a"
    network(served.url)
    assert ("/token", "Basic") in trap.heard


@pytest.mark.parametrize("scheme", ["Basic", "Bearer"])
def test_no_redirect_with_a_login(served: Any, trap: Trap, scheme: str) -> None:
    """An answer that sends elsewhere is told, and not followed."""
    trap.scheme, trap.realm = scheme, f"{served.url}/token"
    pull = network(served.url)
    assert (pull.outcome, pull.status) == ("error", 307)
    assert "sends the bot to another address" in pull.told
    assert trap.heard[-1] == ("/v2/team/app/manifests/v1", scheme)


@pytest.mark.parametrize("status", [302, 400, 404, 500])
def test_a_token_service_that_does_not_work(served: Any, trap: Trap, status: int) -> None:
    """A token service's failure is never taken for a missing image."""
    trap.realm, trap.status = f"{served.url}/token", status
    pull = network(served.url)
    assert (pull.outcome, pull.status) == ("error", status)
    assert f"token service that does not work ({status})" in pull.told


def test_names_are_checked_before_anything_is_asked(ecr: Place) -> None:
    """What is no image or host is never put into an address."""
    for name in (Image(host=ECR, repository="../../x", reference="v1"), Image(host=ECR, repository="a", reference="v1?x"),
                 Image(host=f"{ECR}/x", repository="UPPER", reference="v1")):  # fmt: skip
        assert ecr.tool.pull(name, ecr.login).outcome == "error"
    for host in ("*.example.com", "a b", "", "https://", "a@example.com"):
        assert ecr.tool.accepts(host, ecr.login).outcome == "not_a_registry"
    assert ecr.registry.log == []
    assert ecr.tool.accepts(f"https://{ECR}/v2/", ecr.login).outcome == "ok"


def said(status: int, code: str, message: str = "gobbledygook", **more: Any) -> Pull:
    """What is made of these words about team/app:v1."""
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    given = {"stage": "bearer", "login": Login("a", Secret("b")), "error": "", **more}
    heard = Heard(Answer("answered", status, body, after=30), (Challenge("bearer", {"error": given.pop("error")}),))
    return registry_told.failure(Question("quay.io", image("quay.io/team/app:v1"), **given), heard)


@pytest.mark.parametrize(
    ("pull", "outcome", "told"),
    [
        (said(401, "UNAUTHORIZED"), "denied", "does not let the login pull team/app:v1 (401)"),
        (said(401, "UNAUTHORIZED", stage=""), "unauthorized", "does not accept the login (401)"),
        (said(401, "DENIED", stage="token"), "denied", "does not let the login pull"),
        (said(401, "UNAUTHORIZED", login=None), "unauthorized", "and there is none"),
        (said(403, "DENIED", login=None), "denied", "does not let anybody without a login pull"),
        (said(401, "UNAUTHORIZED", error="invalid_token"), "error", "its clock or its keys may be wrong"),
        (said(401, "UNAUTHORIZED", stage="", error="insufficient_scope"), "denied", "does not let the login pull"),
        (said(404, "NAME_UNKNOWN"), "no_repository", "has no repository team/app (404)"),
        (said(404, "MANIFEST_UNKNOWN"), "no_tag", "does not have team/app:v1 (404)"),
        (said(404, "NOT_FOUND", "repository team/app not found"), "no_repository", "has no repository"),
        (said(404, "NOT_FOUND", "artifact team/app:v1 not found"), "no_tag", "does not have team/app:v1"),
        (said(429, "TOOMANYREQUESTS"), "rate_limited", "is asked too often and asks to wait 30 s (429)"),
        (said(400, "THROTTLED", "Rate exceeded"), "rate_limited", "is asked too often"),
        (said(403, "DENIED", "the session has expired"), "expired", "says that the login has expired (403)"),
        (said(418, "TEAPOT"), "error", "gave an answer that the bot does not know (418)"),
    ],
)
def test_words_of_registries(pull: Pull, outcome: str, told: str) -> None:
    """What registries say in their codes, and at which stage, decides; their own words stay with them."""
    assert (pull.outcome, told in pull.told) == (outcome, True), pull
    assert "gobbledygook" not in pull.told


bodies = st.one_of(
    st.binary(max_size=40),
    st.fixed_dictionaries(
        {},
        optional={
            "errors": st.lists(st.dictionaries(st.sampled_from(["code", "message", "detail"]), st.text(max_size=9) | st.integers()))
            | st.text(max_size=5),
            "manifests": st.lists(st.dictionaries(st.sampled_from(["platform", "x"]), st.dictionaries(st.sampled_from(["os", "architecture"]), st.text(max_size=4)) | st.none()))
            | st.text(max_size=5),
            "message": st.text(max_size=9), "layers": st.none(),
        },
    ).map(lambda told: json.dumps(told).encode()),
)  # fmt: skip


@settings(max_examples=settings.default.max_examples * 3 // 5)
@given(bodies, st.integers(100, 999), st.booleans(), st.sampled_from(["", "token", "bearer"]), st.text(max_size=9))
def test_any_answer_is_an_outcome(body: bytes, status: int, login: bool, stage: Any, error: str) -> None:
    """Whatever comes back, there is an outcome and one sentence of ours, with nothing in it that the answer made up."""
    marked = body.replace(b'"', b'"gobbledygook ', 1) if b"gobble" not in body else body
    who = Login("a", Secret("b")) if login else None
    heard = Heard(Answer("answered", status, marked), (Challenge("bearer", {"error": error}),))
    for asked in (None, image(f"{ECR}/team/app:v1")):
        question = Question(ECR, asked, who, stage)
        found = [registry_told.failure(question, heard), registry_told.success(question, heard.answer)]
        for pull in [*found, registry_told.stranger(question, heard) or found[0]]:
            assert pull.told.endswith(".")
            assert "gobbledygook" not in pull.told
            assert all(name.isascii() and name.isprintable() for name in pull.platforms)
