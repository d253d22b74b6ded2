"""Credentials documents for the tests, and the tool that reads and writes them."""

from __future__ import annotations

import base64
import json
from typing import Any

from bot.core.secret import Secret
from bot.tools.docker_configs import DockerConfigs
from bot.tools.fingerprints import KeyedFingerprints

TOOL = DockerConfigs(KeyedFingerprints(Secret("a key for the tests, long enough")))


def b64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "surrogatepass")).decode()


def secret(document: Any) -> Secret:
    return Secret(json.dumps(document, indent=1))


def content(document: Secret) -> Any:
    return json.loads(document.reveal())


def entry(user: str, password: str, **more: Any) -> dict[str, Any]:
    return {"username": user, "password": password, "auth": b64(f"{user}:{password}"), **more}


def auths(**entries: Any) -> Secret:
    return secret({"auths": entries})
