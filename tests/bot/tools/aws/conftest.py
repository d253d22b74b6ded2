"""Amazon in miniature behind one HTTP server, fresh for each test, and the bot's ways into it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.core.secret import Secret
from bot.settings import parse
from bot.tools import references
from bot.tools.aws import AwsAccounts
from playground.aws import AwsStandIn, Keys
from playground.server import run_in_thread

REGION = "us-east-1"


class Swap:
    """An ASGI application that can be another one for the next test."""

    app: Any = None
    url: str = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


@pytest.fixture(scope="session")
def aws_server() -> Iterator[Swap]:
    swap = Swap()
    swap.app = AwsStandIn().app()
    server = run_in_thread(swap, date_header=False)
    swap.url = server.url
    yield swap
    server.stop()


@pytest.fixture(autouse=True)
def _no_aws_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing that this machine says about AWS, and no metadata service."""
    for name in ("AWS_CA_BUNDLE", "AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


class Scene:
    """`dev` are the keys of a user who may do everything; `clock` is how far ahead the bot's clock is."""

    def __init__(self, server: Swap, folder: Path, canary: Any) -> None:
        self.aws, self.url, self._folder, self._canary = AwsStandIn(), server.url, folder, canary
        server.app = self.aws.app()
        self.clock = 0.0
        self.dev = self.aws.user("bee", secret=canary("secret key"))

    def file(self, name: str, content: str) -> str:
        """A file where secrets may be."""
        path = self._folder / name
        path.write_text(content)
        path.chmod(0o600)
        self._canary.may_hold(path)
        return str(path)

    def static(self, keys: Keys, name: str = "dev") -> dict[str, Any]:
        """The settings' auth for these keys."""
        parts = {"access_key_id": keys.key_id, "secret_access_key": keys.secret, "session_token": keys.token}
        named = {part: {"file": self.file(f"{name}-{part}", text)} for part, text in parts.items() if text}
        return {"method": "static", **named}

    def open(
        self, auth: dict[str, Any] | None = None, more: dict[str, Any] | None = None, **changed: Any
    ) -> AwsAccounts:
        """The tool with the way in `dev`, and those in `more` (name -> auth)."""
        net = {"endpoint_url": self.url, "timeout": 60, **changed}  # the first call loads botocore
        auths = {"dev": auth or self.static(self.dev), **(more or {})}
        settings = parse({"aws": {name: {"auth": auth, **net} for name, auth in auths.items()}}, "settings of the test")
        return AwsAccounts(settings.aws, self.resolve, lambda: time.time() + self.clock)

    @staticmethod
    def resolve(source: Any) -> Secret:
        return references.resolve(source, None)

    def operations(self) -> list[str]:
        return [operation for operation, _, _ in self.aws.asked]


@pytest.fixture
def scene(aws_server: Swap, tmp_path: Path, canary: Any) -> Scene:
    return Scene(aws_server, tmp_path, canary)
