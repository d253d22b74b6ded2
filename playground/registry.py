"""A stand-in for container registries, of two kinds: as ECR (Basic), and as quay.io (a token service) (upstream.md).

registry = RegistryStandIn("123456789012.dkr.ecr.us-east-1.amazonaws.com", check)
registry.add("team/app", "v1", pullers=("arn:aws:iam::210987654321:root",))
server = run_in_thread(registry.app())      # the bot: registries.<host>.address is server.url
registry.good("AWS", password, "team/app", "v1")    # what a node that pulls would hear, in a word

`check(user, password)` says whose login that is, "expired", or None when nobody's. With the stand-in for AWS:
`lambda user, password: aws.password_good(password) if user == "AWS" else None`.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from playground.registry_answers import (
    Answers,
    EcrAnswers,
    QuayAnswers,
    Word,
    basic,
    digest,
    manifest,
    token,
)

Check = Callable[[str, str], str | None]
TOKEN_SECONDS = 300.0


@dataclass
class Repository:
    """`pullers`: the principals that its policy lets pull, as a policy names them (a user, a role, an account's root);
    None: whoever can log in. `public`: without a login too."""

    pullers: frozenset[str] | None = None
    public: bool = False
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)  # tag or digest -> media type, content

    def lets(self, principal: str) -> bool:
        named = self.pullers is None or any(covers(puller, principal) for puller in self.pullers)
        return self.public or (bool(principal) and named)


def covers(named: str, principal: str) -> bool:
    """Does a policy that names the one mean the other? A session of a role is meant by the role, everybody of an
    account by its root."""
    session = re.sub(r":sts::(\d+):assumed-role/([^/]+)/.*", r":iam::\1:role/\2", principal)
    account = re.sub(r":(?:iam|sts)::(\d+):.*", r":iam::\1:root", principal)
    return named in (principal, session, account)


@dataclass(frozen=True)
class Token:
    principal: str
    repositories: frozenset[str]
    ends: float


class RegistryStandIn:
    """`state`: "up", "limited" (429), "html" (something else answers), or a status that answers everything instead.
    `old_words`: ECR as it spoke years ago. `delay` in seconds. `log`: method, path and user of each request."""

    def __init__(self, host: str, check: Check, *, kind: Literal["ecr", "quay"] = "ecr") -> None:
        self.host, self.kind = host, kind
        self._check = check
        self.state: str | int = "up"
        self.old_words = False
        self.delay = 0.0
        self.repositories: dict[str, Repository] = {}
        self.log: list[tuple[str, str, str]] = []
        self._tokens: dict[str, Token] = {}
        self._lock = threading.Lock()

    def add(
        self,
        repository: str,
        *tags: str,
        platforms: tuple[str, ...] = (),
        pullers: Iterable[str] | None = None,
        public: bool = False,
    ) -> str:
        """Put an image there (for several platforms: a list), as all these tags. Its digest."""
        kind, content = manifest(f"{repository} {secrets.token_hex(8)}", platforms)
        with self._lock:
            known = self.repositories.setdefault(repository, Repository())
            known.public = public
            known.pullers = None if pullers is None else frozenset(pullers)
            known.manifests |= dict.fromkeys((*tags, digest(content)), (kind, content))
        return digest(content)

    def good(self, user: str, password: str, repository: str, reference: str = "") -> str:
        """What a pull with this login (or "" and "" for none) comes to, in a word; after ": " what the registry says
        where only it can know. Without a reference: of any image there. "no_platform": none for a usual node."""
        if self.state == "limited":
            return "rate_limited"
        if self.state != "up":
            return "error"
        principal = self._check(user, password) if user else ""
        if principal is None or (not principal and self.kind == "ecr"):
            return "unauthorized"
        word = "expired" if principal == "expired" else self._permitted(principal, repository, reference)
        if word == "denied" and self.kind == "ecr":
            return f"denied: denied: {EcrAnswers(self.host, old=self.old_words).denial(principal, repository)}"
        return "no_platform" if word == "ok" and reference and self._foreign(repository, reference) else word

    def _foreign(self, repository: str, reference: str) -> bool:
        _, content = self.repositories[repository].manifests[reference]
        platforms = [each["platform"] for each in json.loads(content).get("manifests", ())]
        return bool(platforms) and {"os": "linux", "architecture": "amd64"} not in platforms

    def _permitted(self, principal: str, repository: str, reference: str) -> Word:
        found = self.repositories.get(repository)
        if self.kind == "quay" and (found is None or not found.lets(principal)):
            return "denied" if principal else "unauthorized"
        if found is None:
            return "no_repository"
        if not found.lets(principal):
            return "denied"
        return "ok" if not reference or reference in found.manifests else "no_tag"

    def app(self) -> Starlette:
        """The ASGI application."""
        methods = ["GET", "HEAD"]
        routes = [
            Route("/v2/", self._endpoint),
            Route("/v2/{name:path}/manifests/{reference}", self._endpoint, methods=methods),
        ]
        return Starlette(routes=[Route("/v2/auth", self._token_endpoint), *routes])

    async def _endpoint(self, request: Request) -> Response:
        if fault := await self._entered(request):
            return fault
        return self._ecr(request) if self.kind == "ecr" else self._quay(request)

    async def _token_endpoint(self, request: Request) -> Response:
        if fault := await self._entered(request):
            return fault
        return self._answers(request).unknown() if self.kind == "ecr" else self._mint(request)

    async def _entered(self, request: Request) -> Response | None:
        user, _ = basic(request.headers.get("Authorization", ""))
        self.log.append((request.method, request.url.path, user))
        await asyncio.sleep(self.delay)
        if self.state == "up":
            return None
        return self._answers(request).fault(self.state)

    def _answers(self, request: Request) -> Answers:
        if self.kind == "ecr":
            return EcrAnswers(self.host, old=self.old_words)
        return QuayAnswers(self.host, str(request.base_url).rstrip("/"))

    def _ecr(self, request: Request) -> Response:
        answers = self._answers(request)
        user, password = basic(request.headers.get("Authorization", ""))
        principal = self._check(user, password) if user else None
        if principal is None:
            return answers.unauthorized()
        if principal == "expired":
            return answers.expired()
        return self._manifest(request, principal) if "name" in request.path_params else answers.welcome()

    def _quay(self, request: Request) -> Response:
        answers = self._answers(request)
        held = self._tokens.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        if held is None or held.ends < time.time():
            return answers.unauthorized(request.path_params.get("name", ""))
        if "name" not in request.path_params:
            return answers.welcome()
        if request.path_params["name"] not in held.repositories:
            return answers.denied(held.principal, request.path_params["name"])
        return self._manifest(request, held.principal)

    def _mint(self, request: Request) -> Response:
        answers = self._answers(request)
        user, password = basic(request.headers.get("Authorization", ""))
        principal = self._check(user, password) if user else ""
        if principal is None:
            return answers.unauthorized()
        if principal == "expired":
            return answers.expired()
        wanted = {scope.split(":")[1] for scope in request.query_params.getlist("scope") if scope.count(":") == 2}
        allowed = frozenset(
            name for name in wanted if name in self.repositories and self.repositories[name].lets(principal)
        )
        word = secrets.token_urlsafe(24)
        self._tokens[word] = Token(principal, allowed, time.time() + TOKEN_SECONDS)
        return token(word)

    def _manifest(self, request: Request, principal: str) -> Response:
        answers, name = self._answers(request), request.path_params["name"]
        reference = request.path_params["reference"]
        said = self._permitted(principal, name, reference)
        if said == "ok":
            kind, content = self.repositories[name].manifests[reference]
            return Response(
                content, headers={**answers.headers, "Docker-Content-Digest": digest(content)}, media_type=kind
            )
        if said == "denied":
            return answers.denied(principal, name)
        return answers.missing(name, repository=said == "no_repository")
