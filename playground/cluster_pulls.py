"""May a pod pull its image? The logins that a kubelet finds for it, and who decides whether one is good."""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from playground.cluster_pull_texts import PRINCIPAL, parts, told
from playground.kubernetes_kinds import SECRET
from playground.kubernetes_store import Store

# (user, password, repository, tag or digest), the first two empty for nobody → an outcome, and after ": " the
# registry's own words, if any; `playground.registry.RegistryStandIn.good` is one
Good = Callable[[str, str, str, str], str]
KEYS = {"kubernetes.io/dockerconfigjson": ".dockerconfigjson", "kubernetes.io/dockercfg": ".dockercfg"}
NODES_OWN = ("openshift-config", "pull-secret")


class Pulls:
    """`registries`: by host, who decides; hosts that are not among them let everybody pull. `absent`: images whose tag
    does not exist. `runtime`: whose words are used. `principal`: whom a registry names that denies."""

    def __init__(self, store: Store, registries: dict[str, Good], runtime: str = "cri-o") -> None:
        self.registries = registries
        self.absent: set[str] = set()
        self.runtime = runtime
        self.principal = PRINCIPAL
        self._store = store
        self._expired: set[str] = set()

    def expire(self, password: str) -> None:
        """From now on this password is one that was good once, whatever the registry says."""
        self._expired.add(_mark(password))

    def failure(self, pod: dict[str, Any], image: str) -> tuple[str, str] | None:
        """None when it can be pulled, or the reason that the kubelet gives and the runtime's text."""
        named = parts(image)
        if named is None:
            why = f'couldn\'t parse image name "{image}": invalid reference format'
            return "InvalidImageName", f'Failed to apply default image tag "{image}": {why}'
        outcome = self._outcome(pod, *named)
        if outcome == "ok" and image in self.absent:
            outcome = "no_tag"
        return None if outcome == "ok" else ("ErrImagePull", told(self.runtime, image, outcome, self.principal))

    def _outcome(self, pod: dict[str, Any], host: str, repository: str, reference: str) -> str:
        """Each login that fits is tried; nobody's only when there is none."""
        good = self.registries.get(host)
        if good is None:
            return "ok"
        outcome = ""
        for user, password in [*self._logins(pod, host, repository)] or [("", "")]:
            expired = _mark(password) in self._expired
            outcome = "expired" if expired else good(user, password, repository, reference)
            if outcome == "ok":
                break
        return outcome

    def _logins(self, pod: dict[str, Any], host: str, repository: str) -> Iterator[tuple[str, str]]:
        named = [reference["name"] for reference in pod["spec"].get("imagePullSecrets") or ()]
        for namespace, name in [*((pod["metadata"]["namespace"], name) for name in named), NODES_OWN]:
            yield from logins(self._store.get(SECRET, name, namespace), host, repository)


def logins(secret: dict[str, Any] | None, host: str, repository: str) -> Iterator[tuple[str, str]]:
    """As the kubelet reads a pull secret: one of another type is no pull secret, and broken entries are skipped."""
    key = KEYS.get((secret or {}).get("type", ""))
    if secret is None or key is None:
        return
    for place, entry in entries(secret).items():
        if _matches(place, host, repository) and isinstance(entry, dict):
            yield login(entry)


def login(entry: dict[str, Any]) -> tuple[str, str]:
    """User and password of an entry."""
    user, password = entry.get("username"), entry.get("password")
    if not (isinstance(user, str) and isinstance(password, str) and user and password):
        user, _, password = _text(entry.get("auth")).partition(":")
    return user, password.rstrip("\0\n")


def entries(secret: dict[str, Any]) -> dict[str, Any]:
    """The registries of a pull secret of either type."""
    key = KEYS.get(secret.get("type", ""), ".dockerconfigjson")
    try:
        document = json.loads(_text((secret.get("data") or {}).get(key, "")))
    except ValueError:
        return {}
    if key != ".dockercfg" and isinstance(document, dict):
        document = document.get("auths")
    return document if isinstance(document, dict) else {}


def _matches(place: str, host: str, repository: str) -> bool:
    """An entry's key against an image: with or without scheme and API version, a path's beginning, `*` in the host."""
    bare = re.sub(r"/v[12]/?$", "", re.sub(r"^https?://", "", place)).rstrip("/")
    at, _, path = bare.partition("/")
    return fnmatch.fnmatchcase(host, at) and f"{repository}/".startswith(f"{path}/" if path else "")


def _text(encoded: Any) -> str:
    try:
        return base64.b64decode(encoded).decode()
    except (ValueError, TypeError):
        return ""


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
