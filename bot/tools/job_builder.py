"""Jenkins Job Builder YAML, as far as it tells which job reads which Vault path.

Known: jobs, job templates with their projects and job groups, defaults, and wrapper macros. Names that come from
anywhere else keep their braces. The generated XML is the better source; this reads what there is without it.
"""

from __future__ import annotations

import itertools
import string
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from bot.core.errors import Refused
from bot.tools.yaml_scalars import parsed

NAMES = 1000  # names that one template may become
BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(BASE):  # type: ignore[misc]  # which of the two classes it is depends on the installation
    """The safe loader, which also passes over job builder's own tags (`!include-raw` and the like)."""


_Loader.add_multi_constructor("", lambda loader, suffix, node: None)  # noqa: ARG005  the signature is PyYAML's


@dataclass(frozen=True)
class Sheet:
    """A YAML file: the name people see, and its bytes."""

    name: str
    raw: bytes


@dataclass(frozen=True)
class Entry:
    """One top-level entry: `kind` is job, job-template, project, job-group, defaults or wrapper."""

    kind: str
    body: dict[Any, Any]
    file: str

    @property
    def name(self) -> str:
        return str(self.body.get("id") or self.body.get("name", ""))


def entries(sheet: Sheet) -> list[Entry]:
    """The entries of a file; none if it is some other YAML. Refused if it is no sound YAML."""
    try:
        text = sheet.raw.decode("utf-8")
        if all(line.lstrip()[:1] in ("", "#") for line in text.splitlines()):
            return []
        parsed(text, any_tag=True)  # refuses what would take the loader down
        document = yaml.load(text, Loader=_Loader)  # noqa: S506  a subclass of the safe loader
    except Refused as refusal:
        raise Refused(refusal.what) from None
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        raise Refused("it is not YAML text") from None
    items = document if isinstance(document, list) else []
    pairs = (next(iter(item.items())) for item in items if isinstance(item, dict) and len(item) == 1)
    return [Entry(str(kind), body, sheet.name) for kind, body in pairs if isinstance(body, dict)]


def uses(found: list[Entry], path: str) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """(job, keys, file) for each job that reads exactly this path."""
    macros = {entry.name: entry.body for entry in found if entry.kind == "wrapper"}
    defaults = {entry.name: entry.body for entry in found if entry.kind == "defaults"}
    for entry in found:
        if entry.kind not in ("job", "job-template"):
            continue
        keys = _keys(_wrappers(entry.body, defaults), path, macros, frozenset())
        if keys is not None:
            names = [entry.name] if entry.kind == "job" else _names(entry, found)
            yield from ((name, tuple(sorted(keys)), entry.file) for name in names)


def _wrappers(body: dict[Any, Any], defaults: dict[str, dict[Any, Any]]) -> Any:
    """A job's own wrappers, or those of its defaults."""
    if "wrappers" in body:
        return body["wrappers"]
    return defaults.get(str(body.get("defaults", "global")), {}).get("wrappers")


def _keys(wrappers: Any, path: str, macros: dict[str, dict[Any, Any]], seen: frozenset[str]) -> set[str] | None:
    """The keys of the path that these wrappers read, also through macros; None if they do not read it."""
    found: set[str] | None = None
    for name, body in _components(wrappers):
        keys = None
        if name == "vault-secrets":
            keys = _secret_keys(body, path)
        elif name in macros and name not in seen:
            keys = _keys(macros[name].get("wrappers"), path, macros, seen | {name})
        if keys is not None:
            found = (found or set()) | keys
    return found


def _components(wrappers: Any) -> Iterator[tuple[str, Any]]:
    for wrapper in wrappers if isinstance(wrappers, list) else []:
        if isinstance(wrapper, dict):
            yield from ((str(name), body) for name, body in wrapper.items())
        else:
            yield str(wrapper), None


def _secret_keys(body: Any, path: str) -> set[str] | None:
    secrets = [secret for secret in _dicts(body, "secrets") if str(secret.get("secret-path", "")).strip() == path]
    if not secrets:
        return None
    return {str(value["vault-key"]) for s in secrets for value in _dicts(s, "secret-values") if "vault-key" in value}


def _dicts(body: Any, key: str) -> list[dict[Any, Any]]:
    items = body.get(key) if isinstance(body, dict) else None
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _names(template: Entry, found: list[Entry]) -> list[str]:
    """What a template's jobs are called, by the projects that use it; its own name with braces if none does."""
    groups = {entry.name: entry.body for entry in found if entry.kind == "job-group"}
    names = [
        name
        for project in found
        if project.kind == "project"
        for variables in _wanted(template.name, project.body, project.body, groups, frozenset())
        for name in _spelled(str(template.body.get("name", "")), variables)
    ]
    return list(dict.fromkeys(names)) or [template.name]


def _wanted(
    template: str,
    body: dict[Any, Any],
    variables: dict[Any, Any],
    groups: dict[str, dict[Any, Any]],
    seen: frozenset[str],
) -> Iterator[dict[Any, Any]]:
    """The variables with which a project (or a group in it) uses a template."""
    for name, own in _components(body.get("jobs")):
        given = {**variables, **(own if isinstance(own, dict) else {})}
        if name == template:
            yield given
        elif name in groups and name not in seen:
            yield from _wanted(template, groups[name], {**groups[name], **given}, groups, seen | {name})


def _spelled(name: str, variables: dict[Any, Any]) -> list[str]:
    """A template's name with the variables put in; a list of values makes a list of names."""
    try:
        parts = [(text, field) for text, field, _, _ in string.Formatter().parse(name)]
    except ValueError:
        return [name]
    choices = [[text + value for value in _values(field, variables)] for text, field in parts]
    return ["".join(words) for words in itertools.islice(itertools.product(*choices), NAMES)]


def _values(field: str | None, variables: dict[Any, Any]) -> list[str]:
    if field is None:
        return [""]
    value = variables.get(field)
    items = value if isinstance(value, list) else [value]
    words = [str(next(iter(item), "")) if isinstance(item, dict) else str(item) for item in items if item is not None]
    return words or [f"{{{field}}}"]
