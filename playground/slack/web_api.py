"""The Web API: POST /api/<method> with a form or JSON body, and the addresses its answers lead to."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from playground.slack import chat, files
from playground.slack.errors import ApiError, Limited
from playground.slack.faults import Fault
from playground.slack.limits import Limits
from playground.slack.methods import METHODS, Method
from playground.slack.workspace import Json, Workspace

STRUCTURED = ("blocks", "attachments", "metadata", "view", "files")
MALFORMED = {"blocks": "invalid_blocks_format", "attachments": "invalid_attachments"}


def routes(workspace: Workspace) -> list[Route]:
    """The routes of the Web API."""
    limits = Limits(workspace.now)

    async def method(request: Request) -> Response:
        workspace.base_url = str(request.base_url).rstrip("/")
        name = request.path_params["method"]
        started = time.perf_counter()
        args: Json = {}

        async def answer() -> Response:
            args.update(await arguments(request))
            return _call(workspace, limits, name, args, _token(request, args))

        response = await _faulty(workspace, request, name, answer)
        _note(workspace, name, started, args, response)
        return response

    async def response_url(request: Request) -> Response:
        started = time.perf_counter()
        body: Json = {}

        async def answer() -> Response:
            body.update(await arguments(request))
            status, text = chat.respond(workspace, request.path_params["name"], body)
            return PlainTextResponse(text, status)

        response = await _faulty(workspace, request, "response_url", answer)
        _note(workspace, "response_url", started, body, response)
        return response

    async def upload(request: Request) -> Response:
        status, text = files.receive(workspace, request.path_params["ticket"], await request.body())
        return PlainTextResponse(text, status)

    async def download(request: Request) -> Response:
        found = workspace.uploads.get(request.path_params["file"])
        if found is None or not found["shared"]:
            return PlainTextResponse("not found", 404)
        return Response(found["data"], media_type=files.mime(found["name"]))

    return [
        Route("/api/{method}", method, methods=["GET", "POST"]),
        Route("/response/{name}", response_url, methods=["POST"]),
        Route("/upload/{ticket}", upload, methods=["POST"]),
        Route("/files/{file}/{name}", download),
    ]


async def arguments(request: Request) -> Json:
    """The arguments of a call: query, form or JSON. Structured ones may be JSON texts."""
    args: Json = dict(request.query_params)
    if request.headers.get("content-type", "").startswith("application/json"):
        args.update(_object(await request.body()))
    else:
        args.update({key: str(value) for key, value in (await request.form()).items()})
    for name in STRUCTURED:
        if isinstance(args.get(name), str):
            args[name] = _structured(name, args[name])
    return {name: _plain(name, value) for name, value in args.items() if value is not None}


def _plain(name: str, value: Any) -> Any:
    """A value as a form would carry it, but for structured arguments."""
    if name in STRUCTURED or isinstance(value, str):
        return value
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _object(body: bytes) -> Json:
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        raise ApiError("invalid_json") from None
    if not isinstance(found, dict):
        raise ApiError("json_not_object")
    return {key: value for key, value in found.items() if value is not None}


def _structured(name: str, text: str) -> Any:
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError:
        raise ApiError(MALFORMED.get(name, "invalid_arguments")) from None


def _token(request: Request, args: Json) -> str:
    head = request.headers.get("authorization", "")
    given = args.pop("token", "")
    return head.removeprefix("Bearer ") if head.startswith("Bearer ") else str(given)


def _call(workspace: Workspace, limits: Limits, name: str, args: Json, token: str) -> Response:
    method = METHODS.get(name)
    if method is None:
        raise ApiError("unknown_method", req_method=name)
    _authorised(workspace, method, token)
    missing = [need for need in method.needs if args.get(need) in (None, "")]
    if missing:
        raise ApiError("invalid_arguments", [f"missing required field: {need}" for need in missing])
    if workspace.limited:
        limits.count(name, method.tier, str(args.get("channel", "")))
    headers = {"x-oauth-scopes": ",".join(sorted(workspace.scopes))}
    return JSONResponse({"ok": True, **method.call(workspace, args)}, headers=headers)


def _authorised(workspace: Workspace, method: Method, token: str) -> None:
    if not token:
        raise ApiError("not_authed")
    if token not in (workspace.bot_token, workspace.app_token):
        raise ApiError("invalid_auth")
    if method.app_level != (token == workspace.app_token):
        raise ApiError("not_allowed_token_type")
    wanted = set(method.scope.split("|")) - {""}
    if wanted and not wanted & workspace.scopes:
        needed = ",".join(sorted(wanted))
        raise ApiError("missing_scope", needed=needed, provided=",".join(sorted(workspace.scopes)))


async def _faulty(
    workspace: Workspace, request: Request, name: str, answer: Callable[[], Awaitable[Response]]
) -> Response:
    fault = workspace.faults.take(name)
    if fault is not None and fault.kind == "down":
        return cut(request)
    if fault is not None and fault.kind in ("ratelimited", "error500"):
        return _refusal(fault)
    if fault is not None and fault.kind == "slow":
        await asyncio.sleep(fault.seconds or 1.0)
    try:
        response = await answer()
    except Limited as limited:
        response = JSONResponse(limited.answer(), 429, {"retry-after": str(limited.after)})
    except ApiError as error:
        response = JSONResponse(error.answer())
    return cut(request) if fault is not None and fault.kind == "cut" else response


def _refusal(fault: Fault) -> Response:
    if fault.kind == "error500":
        return PlainTextResponse("Internal Server Error", 500)
    after = str(max(1, round(fault.seconds or 1)))
    return JSONResponse({"ok": False, "error": "ratelimited"}, 429, {"retry-after": after})


def cut(request: Request) -> Response:
    """Break the connection without an answer. ASGI has no word for it, so it is asked of uvicorn's transport."""
    cycle = getattr(request.receive, "__self__", None)
    transport = getattr(cycle, "transport", None)
    if transport is not None:
        transport.abort()
    return PlainTextResponse("", 503)


def _note(workspace: Workspace, name: str, started: float, args: Json, response: Response) -> None:
    ms = (time.perf_counter() - started) * 1000
    body: Any = bytes(response.body).decode(errors="replace")
    if response.media_type == "application/json":
        body = json.loads(body)
    status = body.get("error", "ok") if isinstance(body, dict) else response.status_code
    workspace.traffic.add("to_slack", name, status, ms, args, body)
