"""The verbs of the Kubernetes API on the stand-in's objects."""

from __future__ import annotations

import base64
import json
from typing import Any

from playground import kubernetes_checks as checks
from playground.kubernetes_answers import (
    TOO_OLD,
    Answer,
    Asked,
    Failure,
    bad,
    conflict,
    exists,
    invalid,
    missing,
    not_allowed,
    precondition,
    removed,
    status,
    unknown,
)
from playground.kubernetes_kinds import NAMESPACE, NODE, POD, SERVICE_ACCOUNT, Kind
from playground.kubernetes_patches import MERGE, STRATEGIC, merge, strategic
from playground.kubernetes_paths import Target
from playground.kubernetes_selectors import fields, labels
from playground.kubernetes_store import Store, spelled

Json = dict[str, Any]


class Objects:
    """Get, list, create, update, patch and delete. `oldest`: continue tokens from before this version are too old."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.oldest = 0

    def answer(self, verb: str, kind: Kind, at: Target, asked: Asked) -> Answer:
        lost = at.name and kind.namespaced and not at.namespace
        if lost or (at.namespace and not kind.namespaced and kind is not NAMESPACE):
            return unknown()
        if "dryRun" in asked.query:
            return bad("a dry run is not played here")
        if at.sub == "binding" and kind is POD and verb == "create":
            return self._bind(at, asked)
        if at.sub not in ("", "status") or (at.sub and not kind.phased):
            return not_allowed()
        if verb == "list":
            return self._list(kind, at, asked)
        if verb == "create" and not at.name:
            return self._create(kind, at, asked)
        if not at.name or verb not in ("get", "update", "patch", "delete"):
            return not_allowed()
        old = self._there(kind, at)
        if verb == "get":
            return Answer(200, old)
        return self._delete(kind, old, asked) if verb == "delete" else self._change(verb, kind, at, asked, old)

    def _there(self, kind: Kind, at: Target) -> Json:
        found = self.store.get(kind, at.name, at.namespace if kind.namespaced else "")
        if found is None:
            raise Failure(missing(kind, at.name))
        return found

    def _create(self, kind: Kind, at: Target, asked: Asked) -> Answer:
        if kind.namespaced and not at.namespace:
            return not_allowed()
        one = checks.filled(kind, checks.placed(kind, checks.decoded(kind, asked.body), at.namespace, None))
        if kind.namespaced and self.store.get(NAMESPACE, at.namespace) is None:
            return missing(NAMESPACE, at.namespace)
        _generate(one["metadata"], self.store.version)
        checks.check(kind, one)
        if one["metadata"].get("resourceVersion"):
            return status(500, "", "resourceVersion should not be set on objects to be created")
        return self._added(kind, self._begun(kind, one, at.namespace))

    def _begun(self, kind: Kind, one: Json, namespace: str) -> Json:
        """With the status that a new object has, whatever was sent."""
        if kind is POD:
            account = self.store.get(SERVICE_ACCOUNT, one["spec"]["serviceAccountName"], namespace)
            return checks.admit(one, account) | {"status": {"phase": "Pending", "qosClass": "BestEffort"}}
        if not kind.phased or kind in (NAMESPACE, NODE):
            return one
        rest = {name: value for name, value in one.items() if name != "status"}
        return rest if kind.custom else {**rest, "status": {}}

    def _added(self, kind: Kind, one: Json) -> Answer:
        try:
            made = self.store.add(kind, one)
        except KeyError:
            return exists(kind, one["metadata"]["name"])
        if kind is NAMESPACE:  # a controller does this, so soon that nobody notices
            default = {"name": "default", "namespace": made["metadata"]["name"]}
            self.store.put(SERVICE_ACCOUNT, {"metadata": default})
        return Answer(201, made)

    def _change(self, verb: str, kind: Kind, at: Target, asked: Asked, old: Json) -> Answer:
        one = checks.decoded(kind, asked.body) if verb == "update" else _patched(kind, old, asked)
        one = checks.placed(kind, one, at.namespace if kind.namespaced else "", at.name)
        self._same(kind, old, one)
        if at.sub:
            one = {**old, "status": one.get("status") or {}}
        else:
            one = checks.filled(kind, one)
            checks.check(kind, one, old)
            if kind.phased:
                one = {**one, **({"status": old["status"]} if "status" in old else {})}
        return Answer(200, self.store.replace(kind, one))

    def _same(self, kind: Kind, old: Json, one: Json) -> None:
        """What was looked at, if the writer says what that was."""
        was, wanted = old["metadata"], one["metadata"]
        if wanted.get("uid") not in (None, "", was["uid"]):
            why = f"Precondition failed: UID in precondition: {wanted['uid']}, UID in object meta: {was['uid']}"
            raise Failure(conflict(kind, was["name"], f"StorageError: invalid object, {why}"))
        if wanted.get("resourceVersion") not in (None, "", was["resourceVersion"]):
            raise Failure(conflict(kind, was["name"]))

    def _delete(self, kind: Kind, old: Json, asked: Asked) -> Answer:
        metadata = old["metadata"]
        options = _json(asked.body) if asked.body else {}
        wanted = options.get("preconditions") or {}
        for name, shown in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
            if wanted.get(name) not in (None, metadata[name]):
                return precondition(kind, metadata["name"], shown, wanted[name], metadata[name])
        self.store.remove(kind, metadata["name"], metadata.get("namespace", ""))
        if kind is NAMESPACE:
            self.store.empty(metadata["name"])
        if kind in (NAMESPACE, POD):  # these linger on a real server, and are shown once more
            gone = {**old, "metadata": {**metadata, "deletionTimestamp": spelled(self.store.now())}}
            return Answer(200, gone | ({"status": {"phase": "Terminating"}} if kind is NAMESPACE else {}))
        return removed(kind, metadata["name"], metadata["uid"])

    def _bind(self, at: Target, asked: Asked) -> Answer:
        pod = self._there(POD, at)
        pod["spec"]["nodeName"] = (_json(asked.body).get("target") or {}).get("name", "")
        pod["status"]["conditions"] = [{"type": "PodScheduled", "status": "True",
                                        "lastTransitionTime": spelled(self.store.now())}]  # fmt: skip
        self.store.replace(POD, pod)
        return Answer(201, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201})

    def _list(self, kind: Kind, at: Target, asked: Asked) -> Answer:
        label, chosen = labels(asked.query.get("labelSelector", "")), fields(asked.query.get("fieldSelector", ""), kind)
        limit, after, version = _page(asked, self.oldest, self.store.version)
        found = [
            one
            for one in self.store.each(kind, at.namespace if kind.namespaced else "")
            if _key(one) > after and label(one["metadata"].get("labels") or {}) and chosen(one)
        ]
        shown, rest = (found[:limit], found[limit:]) if limit else (found, [])
        metadata: Json = {"resourceVersion": str(version)}
        if rest:
            metadata["continue"] = _token(version, _key(shown[-1]))
            if not (asked.query.get("labelSelector") or asked.query.get("fieldSelector")):
                metadata["remainingItemCount"] = len(rest)
        items = [_item(kind, one) for one in shown]
        return Answer(200, {"kind": f"{kind.kind}List", "apiVersion": kind.api, "metadata": metadata, "items": items})


def _patched(kind: Kind, old: Json, asked: Asked) -> Json:
    how = {MERGE: merge} | ({} if kind.custom else {STRATEGIC: strategic})
    apply = how.get(asked.content_type.partition(";")[0].strip())
    if apply is None:
        raise Failure(status(415, "UnsupportedMediaType", "415: Unsupported Media Type", {}))
    patched: Json = apply(old, _json(asked.body, 500))
    if any(not isinstance(patched.get(name, {}), dict) for name in ("metadata", "spec", "status", "data")):
        raise Failure(invalid(kind, old["metadata"]["name"], ("FieldValueInvalid", "Invalid value", "patch")))
    return patched


def _json(body: bytes, code: int = 400) -> Json:
    try:
        one = json.loads(body)
    except ValueError:
        one = None
    if not isinstance(one, dict):
        raise Failure(bad("couldn't get version/kind; json parse error") if code == 400
                      else status(code, "", "Invalid JSON Patch"))  # fmt: skip
    return one


def _generate(metadata: Json, version: int) -> None:
    if not metadata.get("name") and metadata.get("generateName"):
        metadata["name"] = f"{metadata['generateName']}{version:05x}"


def _item(kind: Kind, one: Json) -> Json:
    """In a list the server leaves out what the list says already, but not for custom kinds."""
    return one if kind.custom else {name: value for name, value in one.items() if name not in ("kind", "apiVersion")}


def _key(one: Json) -> str:
    return f"{one['metadata'].get('namespace', '')}/{one['metadata']['name']}\0"


def _token(version: int, last: str) -> str:
    return base64.urlsafe_b64encode(json.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": last}).encode()).decode()


def _page(asked: Asked, oldest: int, version: int) -> tuple[int, str, int]:
    """How many to show, after which key, at which version."""
    try:
        limit = int(asked.query.get("limit", "0") or 0)
    except ValueError:
        raise Failure(bad(f'strconv.ParseInt: parsing "{asked.query["limit"]}": invalid syntax')) from None
    given = asked.query.get("continue", "")
    if not given:
        return limit, "", version
    try:
        token = json.loads(base64.urlsafe_b64decode(given))
        after, at = str(token["start"]), int(token["rv"])
    except (ValueError, KeyError, TypeError):
        raise Failure(bad("invalid continue token: continue key is not valid")) from None
    if at < oldest:
        raise Failure(status(410, "Expired", TOO_OLD))
    return limit, after, at
