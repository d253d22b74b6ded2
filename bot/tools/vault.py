"""Vault for reading and writing single fields, by hvac. The client loads at the first call.

`open_vault(…)` gives a `Vault`; its `reader` has no way to write and is what planning gets.
"""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from bot import settings
from bot.core import stamp
from bot.core.errors import Drifted, Refused, Transient
from bot.core.ports import Fingerprints
from bot.core.secret import Secret
from bot.tools.calls import SETTLES
from bot.tools.vault_kv import Document, Kv, checked
from bot.tools.vault_login import Resolve
from bot.tools.vault_session import VaultSession

ATTEMPTS = 8  # of a check-and-set write before we say that somebody else keeps writing


def open_vault(
    vault: settings.Vault,
    resolve: Resolve,
    fingerprints: Fingerprints,
    clock: Callable[[], float] = time.monotonic,
) -> Vault:
    """Vault as the settings say. Nothing is sent before the first call. `resolve` reads the bot's own credentials."""
    session = VaultSession(vault, resolve, clock)
    return Vault(Kv(session, clock), session, fingerprints)


class Reader:
    """`bot.core.ports.VaultReader`: looks, and cannot change anything."""

    __slots__ = ("_get",)

    def __init__(self, get: Callable[[str], Document]) -> None:
        self._get = get

    def read(self, path: str, field: str) -> Secret:
        document = self._get(path)
        found = text(document.fields.get(field))
        if found is not None:
            return Secret(found)
        if document.data is None:
            raise Refused(f"There is nothing at {checked(path)} in Vault.", "Check the path in the settings.")
        raise Refused(f"{checked(path)} in Vault has no field {field}.", "Check the field's name in the settings.")

    def find(self, path: str, field: str) -> Secret | None:
        found = text(self._get(path).fields.get(field))
        return None if found is None else Secret(found)

    def fields(self, path: str) -> frozenset[str]:
        return frozenset(name for name, value in self._get(path).fields.items() if value is not None)

    def stamp(self, path: str, field: str) -> float | None:
        found = self._get(path).fields.get(field)
        return stamp.read(found) if isinstance(found, str) else None


class Vault:
    """`bot.core.ports.VaultWriter`."""

    def __init__(self, kv: Kv, session: VaultSession, fingerprints: Fingerprints) -> None:
        self.reader = Reader(kv.get)
        self._kv = kv
        self._session = session
        self._fingerprints = fingerprints
        self._writing: dict[str, threading.Lock] = {}

    @property
    def known(self) -> bool:
        """Does Vault tell about the bot's own token?"""
        return self._session.known

    @property
    def expires_in(self) -> float | None:
        """Seconds until the bot's own token ends; None if it never does or Vault does not tell."""
        return self._session.expires_in

    def backup(self, path: str, *, run: str) -> str | None:
        """Where a run would keep what was at a path; None on KV 2, which keeps its versions itself."""
        return sibling(checked(path), run) if self._kv.version(path) == 1 else None

    def rights(self, path: str) -> frozenset[str]:
        """What the bot may do at a path, in Vault's words ("read", "update", …; "root" for everything)."""
        return self._kv.rights(path)

    def read(self, path: str, field: str) -> Secret:
        return self.reader.read(path, field)

    def find(self, path: str, field: str) -> Secret | None:
        return self.reader.find(path, field)

    def fields(self, path: str) -> frozenset[str]:
        return self.reader.fields(path)

    def stamp(self, path: str, field: str) -> float | None:
        return self.reader.stamp(path, field)

    def write(self, path: str, values: Mapping[str, Secret], *, run: str) -> None:
        path, backup = checked(path), sibling(path, run)
        with self._alone(path):
            for _ in range(ATTEMPTS):
                old = self._kv.get(path, fresh=True)
                if self._holds(old, values):
                    return
                if old.mount.version == 1:
                    old = self._saved(path, backup, old, values)
                    if self._holds(old, values):  # an earlier try of ours, whose answer came too late, lands only now
                        return
                if self._put(path, old, values):
                    self._check_kept(path, old)
                    return
                time.sleep(random.uniform(0, 0.05))  # noqa: S311 - only so that two writers do not keep step
        raise Transient(f"Someone else keeps writing {path} in Vault.", "Nothing was changed there. Try again.")

    def restore(self, path: str, was: Mapping[str, str | None], *, run: str) -> None:
        path, backup = checked(path), sibling(path, run)
        with self._alone(path):
            for _ in range(ATTEMPTS):
                now = self._kv.get(path, fresh=True)
                wrong = {name: mark for name, mark in was.items() if self._mark(now.fields.get(name)) != mark}
                if not wrong:
                    return
                before = self._earlier(path, backup, now, wrong)
                kept = {name: value for name, value in now.fields.items() if name not in wrong}
                if self._replace(path, now, kept | before):
                    return
        raise Transient(f"Someone else keeps writing {path} in Vault.", "Its old values are not back yet. Try again.")

    def retire(self, path: str, *, run: str) -> None:
        path, backup = checked(path), sibling(path, run)
        document = self._kv.get(path, fresh=True)
        if document.mount.version == 1 and self._kv.get(backup, document.mount).data is not None:
            self._kv.delete(backup, document.mount)

    def _alone(self, path: str) -> threading.Lock:
        """KV 1 has no check-and-set: at least this process writes a path by one thread at a time."""
        return self._writing.setdefault(path, threading.Lock())

    def _saved(self, path: str, backup: str, old: Document, values: Mapping[str, Secret]) -> Document:
        """Save the whole document beside itself, once per run; gives the document as it is right before the write."""
        held = self._kv.get(backup, old.mount)
        if old.data is not None and held.data is None:
            try:
                self._kv.put(backup, held, old.data)
            except Transient as error:
                error.unheard = False  # it may come late, and changes nothing that anybody uses
                raise
            if spelled(self._kv.get(backup, old.mount).fields) != spelled(old.fields):
                raise Refused(f"The backup {backup} does not hold what it should.", f"Nothing was changed at {path}.")
        now = self._kv.get(path, old.mount)
        moved = any(spelled(now.fields.get(name)) != spelled(old.fields.get(name)) for name in values)
        if moved and not self._holds(now, values):
            raise Drifted(f"Someone else is writing {path} in Vault right now.", "Nothing was changed there.")
        return now

    def _put(self, path: str, old: Document, values: Mapping[str, Secret]) -> bool:
        try:
            return self._kv.put(path, old, old.fields | {name: value.reveal() for name, value in values.items()})
        except Transient as error:
            if error.unheard and old.mount.version == 1 and error.after is None:  # it must not land after the next one
                error.after = SETTLES
            raise

    def _check_kept(self, path: str, old: Document) -> None:
        """KV 2: is the version before our write still there? A path with `max_versions` 1 keeps none to go back to."""
        if old.mount.version == 1 or old.data is None:
            return
        if self._kv.get_version(path, old.mount, old.version) is None:
            now = self._kv.get(path, old.mount)
            if now.version != old.version + 1:
                return  # others have written since, and pushed it out: what they wrote is not ours to take back
            self._kv.put(path, now, old.data)
            raise Refused(
                f"{path} in Vault keeps only its newest version, so a change could not be undone; it is as it was.",
                "Raise max_versions of the path or its mount to 2 or more.",
            )

    def _earlier(self, path: str, backup: str, now: Document, wrong: Mapping[str, str | None]) -> dict[str, Any]:
        """The earlier values, with their JSON types, of the fields that were there; by their fingerprints."""
        sought = {name: mark for name, mark in wrong.items() if mark is not None}
        found: dict[str, Any] = {}
        for fields in self._history(path, backup, now):
            if len(found) == len(sought):
                break
            found |= {n: fields[n] for n in sought.keys() - found.keys() if self._mark(fields.get(n)) == sought[n]}
        if missing := sorted(sought.keys() - found.keys()):
            raise Drifted(
                f"The earlier value of {', '.join(missing)} at {path} is no longer in Vault.",
                "Nothing was put back there; set it by hand from where it comes from.",
            )
        return found

    def _history(self, path: str, backup: str, now: Document) -> Any:
        """What lay there before, newest first: older versions (KV 2), or the backup of the run (KV 1)."""
        if now.mount.version == 1:
            yield self._kv.get(backup, now.mount).fields
            return
        for version in range(now.version - 1, 0, -1):
            fields = self._kv.get_version(path, now.mount, version)
            if fields is None:
                return
            yield fields

    def _replace(self, path: str, now: Document, data: Mapping[str, Any]) -> bool:
        if now.mount.version == 1 and not data:  # KV 1 keeps no empty documents
            self._kv.delete(path, now.mount)
            return True
        return self._kv.put(path, now, data)

    def _holds(self, document: Document, values: Mapping[str, Secret]) -> bool:
        held = {name: document.fields.get(name) for name in values}
        return all(
            isinstance(now := held[name], str) and self._fingerprints.same(Secret(now), value)
            for name, value in values.items()
        )

    def _mark(self, value: Any) -> str | None:
        found = text(value)
        return None if found is None else self._fingerprints.of(Secret(found))


def text(value: Any) -> str | None:
    """A field's value as text: strings as they are, other JSON as JSON, null as absent."""
    if value is None or isinstance(value, str):
        return value
    return spelled(value)


def spelled(value: Any) -> str:
    """The one JSON spelling of a value: unlike `==`, it tells 1 from true and from 1.0."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def sibling(path: str, run: str) -> str:
    """Where KV 1 keeps what was there before a run."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", run):
        raise Refused("That is not the name of a run.", "Lower-case letters, digits and dashes are.")
    return f"{path.strip('/')}-before-{run}"
