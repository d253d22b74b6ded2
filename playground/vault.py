"""A stand-in for Vault: KV 1 and 2, tokens and logins, on the real wire protocol, with faults to order.

    vault = VaultStandIn.of(mounts={"sd-uhc": 1}, secrets={"sd-uhc/sandbox": {"config": "…"}}, tokens={"t": ("root",)})
    server = run_in_thread(vault.app())

All of its Python is for tests and the demo: look at `get` and `log`, change with `put`, break with the rest.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from playground.cut_answers import answered
from playground.faults import Faults
from playground.vault_answers import Answer, Asked, Entry, denied, error, fingerprints, found
from playground.vault_engines import Engine, KvV1, KvV2
from playground.vault_faults import Fault
from playground.vault_tokens import Login, Policy, Tokens

OnWrite = Callable[[str, str], None]  # (path, "before" | "after" it was stored); may block, may kill
CAPABILITIES = {"GET": "read", "LIST": "list", "DELETE": "delete"}


class VaultStandIn:
    """One Vault (or one namespace of one). `now` gives seconds, for the lives of tokens."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.mounts: dict[str, Engine] = {}
        self.tokens = Tokens(now)
        self.namespaces: dict[str, VaultStandIn] = {}
        self.faults: Faults[Fault] = Faults()
        self.sealed = False
        self.standby: str | None = None  # what a standby does: "forward", "lost" or the address it redirects to
        self.tells_mounts = True  # sys/internal/ui/mounts: since 0.10
        self.on_write: OnWrite | None = None
        self.on_request: Callable[[Entry], None] | None = None
        self.more: list[Callable[[Asked], Answer | None]] = []  # engines and logins of others; None: not theirs
        self.log: deque[Entry] = deque(maxlen=2000)
        self._lock = threading.RLock()
        self._count = 0

    @classmethod
    def of(
        cls,
        mounts: Mapping[str, int],
        secrets: Mapping[str, Mapping[str, Any]] | None = None,
        tokens: Mapping[str, tuple[str, ...]] | None = None,
        policies: Mapping[str, Policy] | None = None,
        logins: tuple[Login, ...] = (),
        now: Callable[[], float] = time.time,
    ) -> VaultStandIn:
        """`mounts`: path to KV version. `secrets`: path, mount first, to fields. `tokens`: text to policy names."""
        vault = cls(now)
        vault.mounts = {path: KvV2() if version == 2 else KvV1() for path, version in mounts.items()}
        for path, data in (secrets or {}).items():
            vault.put(path, data)
        for text, names in (tokens or {}).items():
            vault.tokens.issue(names, text=text)
        vault.tokens.policies |= policies or {}
        vault.tokens.logins.extend(logins)
        return vault

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(routes=[Route("/{path:path}", _Endpoint(self))])

    def get(self, path: str) -> dict[str, Any] | None:
        """The fields at a path now, None if there is nothing."""
        with self._lock:
            engine, rest = self._engine(path)
            return engine.current(rest)

    def put(self, path: str, data: Mapping[str, Any]) -> None:
        """Store a whole document, as somebody else would."""
        with self._lock:
            engine, rest = self._engine(path)
            engine.put(rest, data)

    def paths(self) -> list[str]:
        with self._lock:
            return sorted(f"{mount}/{path}" for mount, engine in self.mounts.items() for path in engine.paths())

    def deny(self, path: str, *capabilities: str) -> None:
        """Take capabilities away below a path, from everybody (none named: all), until `heal`."""
        self.faults.add(Fault(path=path, capabilities=capabilities, answer=denied()))

    def heal(self) -> None:
        """Undo all that was broken, but for what was stored."""
        self.faults.clear()
        self.sealed, self.standby = False, None

    def answer(self, asked: Asked, namespace: str = "") -> Answer:
        """The answer to one request. Thread-safe."""
        space = self.namespaces.get(namespace.strip("/")) if namespace else self
        if space is None:
            return error(404, f'no handler for route "{asked.path}". route entry not found.')
        with space._lock:
            answer = space._answer(asked)
            self._note(asked, answer)
        return answer

    def _note(self, asked: Asked, answer: Answer) -> None:
        self._count += 1
        entry = Entry(self._count, asked.method, asked.path, answer.status, fingerprints(asked, answer))
        self.log.append(entry)
        if self.on_request:
            self.on_request(entry)

    def _answer(self, asked: Asked) -> Answer:
        if asked.path in ("sys/health", "sys/seal-status"):
            return self._health(asked)
        if self.sealed:
            return error(503, "Vault is sealed")
        if self.standby == "lost":
            return error(500, "local node not active but active cluster node not found")
        if self.standby and self.standby != "forward":
            return Answer(307, headers={"Location": f"{self.standby}/v1/{asked.path}"})
        return self._active(asked)

    def _active(self, asked: Asked) -> Answer:
        for each in self.more:
            if (answer := each(asked)) is not None:
                return answer
        if (told := self.tokens.answer(asked)) is not None:
            return told
        if asked.path.startswith("sys/internal/ui/mounts"):
            return self._mounts(asked)
        mount = self._mount(asked.path)
        if not self.tokens.may(asked.token, asked.path, self.capability(asked)):
            return denied()
        if mount is None:
            return error(404, f'no handler for route "{asked.path}". route entry not found.')
        return self.mounts[mount].answer(asked, asked.path.removeprefix(mount).lstrip("/"))

    def capability(self, asked: Asked) -> str:
        if not asked.writes:
            return CAPABILITIES.get(asked.method, "update")
        mount = self._mount(asked.path)
        there = mount and self.mounts[mount].exists(asked.path.removeprefix(mount).lstrip("/"))
        return "update" if there else "create"

    def _mount(self, path: str) -> str | None:
        """The longest mount that the path lies in."""
        return max((m for m in self.mounts if (path + "/").startswith(m + "/")), key=len, default=None)

    def _engine(self, path: str) -> tuple[Engine, str]:
        mount = self._mount(path)
        if mount is None:
            raise KeyError(path)
        return self.mounts[mount], path.removeprefix(mount).lstrip("/")

    def _mounts(self, asked: Asked) -> Answer:
        mount = self._mount(asked.path.removeprefix("sys/internal/ui/mounts").strip("/"))
        if not self.tells_mounts:
            return error(404, f'no handler for route "{asked.path}". route entry not found.')
        if mount is None or not self.tokens.anything_below(asked.token, mount):
            return error(403, "preflight capability check returned 403, please ensure client's policies grant access")
        options = {"version": "2"} if self.mounts[mount].version == 2 else None
        return found({"path": mount + "/", "type": "kv", "options": options, "description": "", "local": False,
                      "accessor": "kv_0", "uuid": "", "seal_wrap": False, "config": {}})  # fmt: skip

    def _health(self, asked: Asked) -> Answer:
        status = 503 if self.sealed else 429 if self.standby else 200
        body = {"initialized": True, "sealed": self.sealed, "standby": bool(self.standby), "version": "1.0.0"}
        return Answer(200 if asked.path == "sys/seal-status" else status, body)


class _Endpoint:
    """HTTP to `VaultStandIn.answer`, with the faults that only HTTP can have."""

    def __init__(self, vault: VaultStandIn) -> None:
        self._vault = vault

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        asked = _asked(request, await request.body())
        if asked is None:
            answer, fault = error(400, "failed to parse JSON input"), None
        else:
            capability = self._vault.capability(asked)
            fault = self._vault.faults.hit(lambda one: one.fits(asked, capability))
            await asyncio.sleep(fault.delay if fault else 0)
            answer = await self._answered(asked, fault, request.headers.get("X-Vault-Namespace", ""))
        await _send(answer, fault.cut if fault else None, send)

    async def _answered(self, asked: Asked, fault: Fault | None, namespace: str) -> Answer:
        if fault and fault.answer:
            return fault.answer
        hook = self._vault.on_write if asked.method in ("POST", "PUT", "DELETE") and _stores(asked.path) else None
        if hook:
            await asyncio.to_thread(hook, asked.path, "before")
        answer = self._vault.answer(asked, namespace)
        if hook:
            await asyncio.to_thread(hook, asked.path, "after")
        return answer


def _stores(path: str) -> bool:
    return not path.startswith(("auth/", "sys/"))


def _asked(request: Request, body: bytes) -> Asked | None:
    path = request.path_params["path"]
    try:
        document = json.loads(body) if body else {}
    except ValueError:
        return None
    if not isinstance(document, dict):
        return None
    method = "LIST" if request.query_params.get("list") == "true" else request.method
    token = request.headers.get("X-Vault-Token", "")
    query, authorization = dict(request.query_params), request.headers.get("Authorization", "")
    return Asked(method, path.removeprefix("v1/").strip("/"), token, document, query, authorization)


async def _send(answer: Answer, cut: int | None, send: Send) -> None:
    content = answer.content()
    headers = {"content-type": "application/json", "cache-control": "no-store", **answer.headers}
    if answer.status != 204:
        headers["content-length"] = str(len(content))
    await answered(send, answer.status, headers, content, cut)
