"""The documents that hold logins for registries (`.dockerconfigjson`): read, compared, changed. Pure and exact.

What is not touched keeps its value and its order; a document that needs no change is given back as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bot.core.errors import Refused
from bot.core.ports import Fingerprints
from bot.core.registry import Entry, Login
from bot.core.secret import Secret
from bot.tools import docker_documents, docker_entries, docker_hosts

AUTHS = "auths"
REPAIR = "Correct it where it is kept; which one counts is not for the bot to say."
NOT_APPLIED = "Nothing was changed; ask whoever made it for a correct one."


class DockerConfigs:
    """Implements `bot.core.registry.DockerConfigs`."""

    def __init__(self, fingerprints: Fingerprints) -> None:
        self._fingerprints = fingerprints

    def entries(self, document: Secret) -> tuple[Entry, ...]:
        """Its registries. A key that can be no host is told as its place, because it may be anything."""
        entries = docker_documents.auths(docker_documents.opened(document))
        return tuple(self._entry(entries, at, key) for at, key in enumerate(entries, 1))

    def login(self, document: Secret, host: str) -> Login | None:
        """The login that a node offers to `host`, or to host/repository: some entries are for a part of a registry
        only. None when none is meant for it; Refused when those that are cannot be used."""
        entries = docker_documents.auths(docker_documents.opened(document))
        fitting = docker_hosts.fitting(entries, host)
        found = [docker_entries.read(entries[key]) for key in fitting]
        login = next((read.login for read in found if read.login), None)
        if login is None and found:
            raise Refused(f"An entry for this registry cannot be used: {found[0].trouble}.", docker_documents.NOW)
        return login

    def auth(self, document: Secret, key: str) -> Secret | None:
        """Not decoded: some who take it want it as it is written (upstream.md, seed 001)."""
        entry = docker_documents.auths(docker_documents.opened(document)).get(key)
        auth = entry.get("auth") if isinstance(entry, dict) else None
        if not isinstance(auth, str | None):
            raise Refused("An entry of the credentials document has an auth that is not text.", docker_documents.NOW)
        return Secret(auth) if auth else None

    def put(self, document: Secret | None, host: str, login: Login) -> Secret:
        """Every spelling of the host that is there gets the login (and loses another kind of login, such as an
        identity token), because nodes try them all."""
        if not docker_hosts.plausible(host):
            raise Refused("That is not the name of a registry.", "Correct the registry's host in the settings.")
        old = docker_documents.opened(document) if document is not None else {}
        _check_single(old, "The credentials document")
        entries = docker_documents.auths(old)
        keys = [key for key in entries if docker_hosts.same(key, host)] or [_new_key(host)]
        fresh = {key: docker_entries.with_login(entries.get(key), login) for key in keys}
        return _changed(document, old, {**entries, **fresh})

    def merge(self, old: Secret, new: Secret) -> Secret:
        """Only entries are taken from `new`, nothing else that stands there. Refused when one of them is not an
        object, or when a key stands twice in either document."""
        before, after = docker_documents.opened(old), docker_documents.opened(new)
        _check_single(before, "The credentials document that is there")
        _check_single(after, "The new credentials document")
        entries = docker_documents.auths(before)
        merged = {key: _merged(entries.get(key), entry) for key, entry in _given(docker_documents.auths(after))}
        return _changed(old, before, {**entries, **merged})

    def problems(self, document: Secret) -> tuple[str, ...]:
        """A document that cannot be read at all is one problem; nothing is raised."""
        try:
            opened = docker_documents.opened(document)
        except Refused as refused:
            return (refused.what,)
        return tuple(_problems(opened))

    def _entry(self, entries: dict[str, Any], at: int, key: str) -> Entry:
        read = docker_entries.read(entries[key])
        return Entry(
            host=_name(at, key),
            fingerprint=self._fingerprints.of(read.spelling) if read.spelling is not None else "",
            has_email=isinstance(entries[key], dict) and bool(entries[key].get("email")),
            trouble=read.trouble if docker_hosts.plausible(key) else "its host can be none",
        )


def _name(at: int, key: str) -> str:
    return key if docker_hosts.plausible(key) else f"entry {at}"


def _new_key(host: str) -> str:
    return docker_hosts.HUB_KEY if docker_hosts.same(host, docker_hosts.HUB) else host


def _changed(old: Secret | None, document: dict[str, Any], entries: dict[str, Any]) -> Secret:
    """The document with these entries; the old one itself when they are the same."""
    before = docker_documents.auths(document)
    if old is not None and docker_documents.spelled(before) == docker_documents.spelled(entries):
        return old
    return docker_documents.written({**document, AUTHS: entries})


def _check_single(document: dict[str, Any], what: str) -> None:
    if docker_documents.any_twice(document):
        raise Refused(f"{what} has a key twice in the same object.", REPAIR)


def _given(entries: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The entries of a new document; a null says nothing."""
    for at, (key, entry) in enumerate(entries.items(), 1):
        if isinstance(entry, dict):
            yield key, entry
        elif entry is not None:
            raise Refused(f"In the new credentials document {_name(at, key)} is not an object.", NOT_APPLIED)


def _merged(old: Any, new: dict[str, Any]) -> dict[str, Any]:
    """The old entry with the fields of the new one; a null says nothing."""
    before = old if isinstance(old, dict) else {}
    fields = {key: value for key, value in new.items() if value is not None}
    merged = {**before, **fields}
    same = docker_documents.spelled(merged) == docker_documents.spelled(before)
    return merged if same else {**merged, **_in_step(merged, fields)}


def _in_step(merged: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """What the entry must hold besides so that a login given in one way does not leave the old one in the other."""
    if "auth" in given:
        login = docker_entries.read({"auth": given["auth"]}).login
        both = {"username": login.user, "password": login.password.reveal()} if login else {}
        return {key: value for key, value in both.items() if key in merged and key not in given}
    if {"username", "password"} & set(given) and merged.get("auth"):
        login = docker_entries.read({key: merged.get(key) for key in ("username", "password")}).login
        return {"auth": docker_entries.encoded(login.user, login.password.reveal())} if login else {}
    return {}


def _problems(document: dict[str, Any]) -> Iterator[str]:
    if not isinstance(document.get(AUTHS), dict):
        yield "The credentials document has no `auths`."
    if docker_documents.any_twice({**document, AUTHS: None}) or isinstance(document, docker_documents.Twice):
        yield "The credentials document has a key twice."
    entries = docker_documents.auths(document)
    for at, (key, entry) in enumerate(entries.items(), 1):
        yield from _of_entry(entries, f"The entry for {key}" if docker_hosts.plausible(key) else f"Entry {at}", key)
        if docker_documents.any_twice(entry):
            yield f"{_name(at, key)} has a key twice."


def _of_entry(entries: dict[str, Any], name: str, key: str) -> Iterator[str]:
    read = docker_entries.read(entries[key])
    if not docker_hosts.plausible(key):
        yield f"{name} has a name that cannot be a registry's."
    if docker_documents.stands_twice(entries, key):
        yield f"{name} stands there twice."
    if read.trouble:
        spoils = ", and nodes cannot read the whole document because of it" if read.spoils else ""
        yield f"{name} cannot be used{spoils}: {read.trouble}."
    if read.torn:
        yield f"{name} holds two logins: nodes use its auth, which is not its user name and password."
