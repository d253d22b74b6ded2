"""What a registry's answer means, and one sentence of ours for it. Its own words are only looked at (upstream.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from bot.core.registry import Image, Login, Outcome, Pull
from bot.tools.denials import Denial, denial
from bot.tools.http_answer import Answer, How
from bot.tools.registry_wire import Heard

LONGEST = 8_000  # characters of an answer that are looked at
MOST = 20  # errors
WORDS = ("message", "detail", "details", "error", "error_description", "error_message")
EXPIRED = re.compile(r"(?:token|credentials?|password|session) (?:has |have |is )?expired|expired (?:token|credential)")
LIMITED = re.compile(r"toomanyrequests|too many requests|rate exceeded|rate limit")
NO_REPOSITORY = re.compile(
    r"repository .{0,300}(?:not (?:found|exist)|unknown)|repository name not known|no such repo", re.S
)
UNHEARD: dict[How, Outcome] = {
    "timeout": "timeout", "dns": "dns", "certificate": "tls", "tls": "tls", "ca_file": "tls",
    "refused": "unreachable", "cut": "unreachable",
}  # fmt: skip


@dataclass(frozen=True)
class Question:
    """What is asked of a registry: an image's manifest, or (without an image) nothing but whether it takes a login.

    `stage`: "token" while its token service is asked, "bearer" when that has given a token for the login."""

    host: str
    image: Image | None
    login: Login | None
    stage: Literal["", "token", "bearer"] = ""

    @property
    def where(self) -> str:
        return f"The registry {self.host}"

    @property
    def name(self) -> str:
        """The image without its host."""
        if self.image is None:
            return "anything"
        return f"{self.image.repository}{'@' if self.image.by_digest else ':'}{self.image.reference}"

    def pull(self, outcome: Outcome, told: str, status: int | None = None, **more: Any) -> Pull:
        return Pull(outcome=outcome, told=f"{self.where} {told}", status=status, **more)


def silence(answer: Answer, where: str, seconds: float) -> Pull:
    """No answer came. `where`: with a capital, which it keeps at the beginning only."""
    told = answer.silence(where[:1].lower() + where[1:], seconds)
    return Pull(outcome=UNHEARD.get(answer.how, "error"), told=told[:1].upper() + told[1:])


def stranger(question: Question, heard: Heard) -> Pull | None:
    """Is what answered the first look, without a login, no registry, or one that cannot serve? None if all is well."""
    answer = heard.answer
    if answer.status == 401 and heard.challenges:
        return None
    if answer.status == 200 and (heard.versioned or answer.object is not None or not answer.body.strip()):
        return None
    if answer.status == 429 or answer.status >= 500 or (answer.status == 403 and heard.versioned):
        return failure(question, heard)
    return Pull(
        outcome="not_a_registry",
        told=f"What answers at {question.host} does not speak like a registry ({answer.status}).",
        status=answer.status,
    )


def success(question: Question, answer: Answer) -> Pull:
    """For an answer of 200: is it what was asked for?"""
    with_login = "with this login" if question.login else "without a login"
    if question.image is None:
        return question.pull("ok", f"answers {with_login}.", answer.status)
    manifest = answer.object
    if manifest is None or not {"manifests", "layers", "fsLayers", "config", "blobs"} & set(manifest):
        return question.pull("not_a_registry", "gave something else than a manifest (200).", answer.status)
    return question.pull("ok", f"gives {question.name} {with_login}.", answer.status, platforms=_platforms(manifest))


def failure(question: Question, heard: Heard) -> Pull:
    """For any other answer."""
    answer = heard.answer
    status, codes, text = answer.status, set(_codes(answer)), _text(answer)
    if status == 429 or "TOOMANYREQUESTS" in codes or (400 <= status < 500 and LIMITED.search(text.lower())):
        wait = f" and asks to wait {answer.after:g} s" if answer.after else ""
        return question.pull("rate_limited", f"is asked too often{wait} ({status}).", status)
    if status in (400, 401, 403) and EXPIRED.search(text.lower()):
        return question.pull("expired", f"says that the login has expired ({status}).", status)
    if status in (400, 401, 403) and (denied := denial(text)):
        return _denied(question, status, denied)
    if status in (401, 403):
        return _refused(question, heard, codes)
    if status == 404 and question.stage != "token":
        return _missing(question, codes, text.lower())
    return question.pull("error", _other(question, status), status)


def _refused(question: Question, heard: Heard, codes: set[str]) -> Pull:
    status = heard.answer.status
    error = next((each.parameters.get("error", "") for each in heard.challenges if each.scheme == "bearer"), "")
    if not question.login and status == 401:
        return question.pull("unauthorized", f"asks for a login for {question.name}, and there is none (401).", 401)
    if question.stage == "bearer" and error == "invalid_token":
        told = "does not accept what its own token service gave: its clock or its keys may be wrong (401)."
        return question.pull("error", told, status)
    if status == 403 or question.stage == "bearer" or error == "insufficient_scope" or "DENIED" in codes:
        login = "the login" if question.login else "anybody without a login"
        return question.pull("denied", f"does not let {login} pull {question.name} ({status}).", status)
    return question.pull("unauthorized", f"does not accept the login ({status}).", status)


def _denied(question: Question, status: int, denied: Denial) -> Pull:
    resource = "" if denied.resource in ("", "*") else f" on {denied.resource}"
    policy = f", because {denied.policy}" if denied.policy else ""
    told = f"does not let {denied.principal or 'the login'} do {denied.action}{resource}{policy} ({status})."
    parts = {"principal": denied.principal, "action": denied.action, "resource": denied.resource}
    return question.pull("denied", told, status, **parts)


def _missing(question: Question, codes: set[str], text: str) -> Pull:
    if question.image is None:
        return question.pull("not_a_registry", "does not speak like a registry (404).", 404)
    if "NAME_UNKNOWN" in codes or ("MANIFEST_UNKNOWN" not in codes and NO_REPOSITORY.search(text)):
        return question.pull("no_repository", f"has no repository {question.image.repository} (404).", 404)
    return question.pull("no_tag", f"does not have {question.name} (404).", 404)


def _other(question: Question, status: int) -> str:
    if question.stage == "token":
        return f"has a token service that does not work ({status})."
    if status >= 500:
        return f"failed inside or is not reachable behind its proxy ({status})."
    if 300 <= status < 400:
        return f"sends the bot to another address, where it does not go with a login ({status})."
    return f"gave an answer that the bot does not know ({status})."


def _errors(answer: Answer) -> list[dict[str, Any]]:
    listed = (answer.object or {}).get("errors")
    return [error for error in listed[:MOST] if isinstance(error, dict)] if isinstance(listed, list) else []


def _codes(answer: Answer) -> Iterator[str]:
    yield from (error["code"].upper() for error in _errors(answer) if isinstance(error.get("code"), str))


def _text(answer: Answer) -> str:
    """What it says in words, to be looked at only."""
    if answer.object is None:
        return answer.body[:LONGEST].decode(errors="replace")
    told = (spot.get(word) for spot in (answer.object, *_errors(answer)) for word in WORDS)
    return " ".join(text for text in told if isinstance(text, str))[:LONGEST]


PLATFORM = re.compile(r"[a-z0-9]{1,20}(?:/[a-z0-9_]{1,20}){1,2}", re.ASCII)


def _platforms(manifest: dict[str, Any]) -> tuple[str, ...]:
    """ "linux/arm64/v8" and so on, each once. Attestations stand in a list as "unknown/unknown"."""
    listed = manifest.get("manifests")
    found = [
        _platform(each.get("platform"))
        for each in (listed if isinstance(listed, list) else [])
        if isinstance(each, dict)
    ]
    return tuple(dict.fromkeys(name for name in found if PLATFORM.fullmatch(name) and not name.startswith("unknown/")))


def _platform(platform: Any) -> str:
    known = platform if isinstance(platform, dict) else {}
    return "/".join(
        part for key in ("os", "architecture", "variant") if isinstance(part := known.get(key), str) and part
    )
