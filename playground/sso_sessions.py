"""Sessions of a played realm: what becomes of a refresh token, in Keycloak's order and words (upstream.md)."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from playground.sso_tokens import Mint

State = Literal["live", "idle", "gone", "without client", "client idle", "of another client"]
WORDS: dict[State, str] = {
    "without client": "Session doesn't have required client",
    "client idle": "Client session not active",
    "of another client": "Unmatching clients",
}


class No(Exception):
    """A refusal: status, error and description."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status, self.error, self.description = status, error, description


def invalid_grant(description: str) -> No:
    return No(400, "invalid_grant", description)


@dataclass
class User:
    name: str
    sub: str = field(default_factory=lambda: str(uuid.uuid4()))
    enabled: bool = True
    not_before: float = 0.0  # tokens issued earlier are stale


@dataclass
class Session:
    """`tokens`: the jti of each refresh token that was given out, oldest first."""

    user: User
    client: str
    offline: bool
    sid: str = field(default_factory=lambda: str(uuid.uuid4()))
    state: State = "live"
    tokens: list[str] = field(default_factory=list)


class Sessions:
    """`gives`: the refresh token of an answer is the same one, a new one, or not there. `rotating`: a new one, and the
    old one is worth nothing. Thread-safe."""

    def __init__(self, mint: Mint, now: Callable[[], float]) -> None:
        self._mint, self._now = mint, now
        self.gives: Literal["same", "new", "none"] = "same"
        self.rotating = False
        self.users: dict[str, User] = {}
        self._sessions: dict[str, Session] = {}
        self._lock = threading.RLock()

    def user(self, name: str) -> User:
        """The user of this name, made when there is none."""
        with self._lock:
            return self.users.setdefault(name, User(name))

    def of(self, user: str) -> list[Session]:
        with self._lock:
            return [one for one in self._sessions.values() if one.user.name == user]

    def open(self, user: str, client: str, *, seconds: float | None = None) -> str:
        """A new session; its refresh token: offline, or an ordinary one that lives so many seconds."""
        with self._lock:
            session = Session(self.user(user), client, offline=seconds is None)
            self._sessions[session.sid] = session
            return self._token(session, seconds or 0.0)

    def refresh(self, token: str, client: str) -> tuple[Session, str | None]:
        """The session, and the refresh token of the answer. Raises No."""
        with self._lock:
            session = self._found(token, client)
            again = token if self.gives == "same" else self._token(session, 1800.0) if self.gives == "new" else None
            return session, self._token(session, 1800.0) if self.rotating else again

    def _token(self, session: Session, seconds: float) -> str:
        given = {"subject": session.user.sub, "client": session.client, "session": session.sid}
        token = (
            self._mint.offline(**given, now=self._now())
            if session.offline
            else self._mint.ordinary(**given, now=self._now(), seconds=seconds)
        )
        session.tokens.append((self._mint.read(token) or {})["jti"])
        return token

    def _found(self, token: str, client: str) -> Session:
        claims = self._mint.read(token)
        if claims is None or claims.get("typ") not in ("Offline", "Refresh"):
            raise invalid_grant("Invalid refresh token")
        if claims["azp"] != client:
            raise invalid_grant("Invalid refresh token. Token client and authorized client don't match")
        if "exp" in claims and claims["exp"] <= self._now():
            raise invalid_grant("Token is not active")
        session = self._sessions.get(claims["sid"])
        self._check(session, offline=claims["typ"] == "Offline")
        assert session is not None
        self._check_stale(session, claims)
        return session

    def _check(self, session: Session | None, *, offline: bool) -> None:
        if session is None or session.state == "gone":
            raise invalid_grant("Offline user session not found" if offline else "Session not active")
        if session.state == "idle":
            session.state = "gone"  # it is deleted when it is found to have ended
            raise invalid_grant("Offline session not active" if offline else "Session not active")
        if self.users.get(session.user.name) is not session.user:
            raise invalid_grant("Invalid refresh token")
        if not session.user.enabled:
            raise invalid_grant("User disabled")
        if session.state in WORDS:
            raise invalid_grant(WORDS[session.state])

    def _check_stale(self, session: Session, claims: dict[str, Any]) -> None:
        if claims["iat"] < session.user.not_before:
            raise invalid_grant("Stale token")
        if not self.rotating or claims["jti"] == session.tokens[-1]:
            return
        before = session.tokens[-2:-1] == [claims["jti"]]
        raise invalid_grant("Maximum allowed refresh token reuse exceeded" if before else "Stale refresh token")
