"""Device flow of a played realm (RFC 8628): codes, and the page on which a person approves."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape
from typing import Literal

from playground.sso_sessions import No, invalid_grant

SIGNS = "BCDFGHJKLMNPQRSTVWXZ"  # RFC 8628, 6.1: nothing that reads as a word or is taken for another
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:26rem;margin:4rem auto;padding:0 1rem}"
    "code{font-size:1.6rem;letter-spacing:.1em}button,select,input{font:inherit;padding:.4rem .8rem;margin:.2rem 0}"
)


@dataclass
class SignIn:
    device: str
    code: str
    client: str
    offline: bool
    ends: float
    state: Literal["pending", "approved", "denied", "done"] = "pending"
    user: str = ""
    asked: float = float("-inf")


class Devices:
    """`interval` and `lasts` in seconds. Thread-safe."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.interval = 5.0
        self.lasts = 600.0
        self._by_code: dict[str, SignIn] = {}
        self._lock = threading.Lock()

    def begin(self, client: str, *, offline: bool) -> SignIn:
        letters = "".join(secrets.choice(SIGNS) for _ in range(8))
        made = SignIn(secrets.token_urlsafe(32), f"{letters[:4]}-{letters[4:]}", client, offline,
                      self._now() + self.lasts)  # fmt: skip
        with self._lock:
            self._by_code[made.code] = made
        return made

    def decide(self, code: str, user: str | None) -> bool:
        """The person with the code approves as this user, or denies (None). False for a code that is not good."""
        with self._lock:
            found = self._by_code.get(code.strip().upper())
            if found is None or found.state != "pending" or found.ends <= self._now():
                return False
            found.state, found.user = ("denied", "") if user is None else ("approved", user)
            return True

    def waiting(self) -> list[str]:
        """The codes that nobody has decided yet."""
        with self._lock:
            return [one.code for one in self._by_code.values() if one.state == "pending" and one.ends > self._now()]

    def ask(self, device: str, client: str) -> SignIn:
        """The sign-in, once it is approved. Raises No."""
        with self._lock:
            found = next((one for one in self._by_code.values() if one.device == device), None)
            if found is None or found.state == "done" or found.client != client:
                raise invalid_grant("Device code not valid")
            early, found.asked = self._now() - found.asked < self.interval, self._now()
            if found.ends <= self._now():
                raise No(400, "expired_token", "Device code is expired")
            if early:
                raise No(400, "slow_down", "Slow down")
            if found.state == "denied":
                raise No(400, "access_denied", "The end user denied the authorization request")
            if found.state == "pending":
                raise No(400, "authorization_pending", "The authorization request is still pending")
            found.state = "done"
            return found


def form(code: str, users: Iterable[str], told: str = "") -> str:
    """The page: the code, as whom, and two buttons. `told`: what is said above them."""
    options = "".join(f"<option>{escape(user)}</option>" for user in users)
    return _page(
        f"<p>{escape(told)}</p>"
        if told
        else "<p>hivekeeper asks for an offline token in your name. Is this the code that it showed you?</p>",
        f'<form method="post"><p><input name="user_code" value="{escape(code)}" aria-label="Code" size="12"></p>'
        f'<p><label>Sign in as <select name="user">{options}</select></label></p>'
        '<button name="answer" value="yes">Yes, approve</button> <button name="answer" value="no">No</button></form>',
    )


def end(told: str) -> str:
    return _page(f"<p>{escape(told)}</p>", "")


def console(users: Iterable[str], token: str = "") -> str:
    """The page on which a person gets an offline token to hand in; with `token`, when it was asked for."""
    options = "".join(f"<option>{escape(user)}</option>" for user in users)
    given = f'<p><label>Your token <textarea readonly rows="6" cols="40">{escape(token)}</textarea></label></p>'
    return _page(
        "<p>A new offline token. Who has it can act as you: hand it to the bot alone.</p>",
        f'<form method="post"><p><label>You are <select name="user">{options}</select></label></p>'
        "<button>Load token</button></form>",
        given if token else "",
        title="Your API token",
    )


def _page(*parts: str, title: str = "Sign in") -> str:
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
    return f"{head}<h1>{title}</h1>{''.join(parts)}</html>"
