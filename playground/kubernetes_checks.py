"""What the API server makes of a body before it is stored: decoding, defaults and validation."""

from __future__ import annotations

import base64
import binascii
import copy
import json
import re
from typing import Any

from playground.kubernetes_answers import Failure, Json, bad, invalid, status
from playground.kubernetes_kinds import DEPLOYMENT, NAMESPACE, POD, RBAC, SECRET, SERVICE_ACCOUNT, Kind
from playground.kubernetes_selectors import labels

MOST = 3 << 20  # bytes of a request
MOST_DATA = 1 << 20  # bytes of a Secret's values
PATTERN = "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
BAD_NAME = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    f"end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{PATTERN}')"
)
NO_NAME = "Required value: name or generateName is required"
FIXED = "field is immutable"
HIDDEN = "<secret contents redacted>"
DOCKER = {"kubernetes.io/dockerconfigjson": ".dockerconfigjson", "kubernetes.io/dockercfg": ".dockercfg"}
POD_FIXED = "pod updates may not change fields other than `spec.containers[*].image`"


def decoded(kind: Kind, body: bytes) -> Json:
    """The object of a request; 400 quotes pieces of it, as the server does, which is why nobody may repeat its text."""
    if len(body) > MOST:
        raise Failure(status(413, "RequestEntityTooLarge", f"Request entity too large: limit is {MOST}"))
    try:
        one = json.loads(body)
    except ValueError:
        said = body[:60].decode(errors="replace")
        text = f"the object provided is unrecognized (must be of type {kind.kind}): couldn't get version/kind; json "
        raise Failure(bad(f"{text}parse error: invalid character in JSON input ({said})")) from None
    if (
        not isinstance(one, dict)
        or one.get("kind", kind.kind) != kind.kind
        or one.get("apiVersion", kind.api) != kind.api
    ):
        found = one.get("kind", "") if isinstance(one, dict) else ""
        text = (
            f'{found} in version "v1" cannot be handled as a {kind.kind}: converting (v1.{found}) to (core.{kind.kind})'
        )
        raise Failure(bad(f"{text}: unknown conversion"))
    return one


def placed(kind: Kind, one: Json, namespace: str, name: str | None) -> Json:
    """The object with its namespace, which must be the one of the path, as the name (None: it is created)."""
    metadata = one.setdefault("metadata", {}) or {}
    one["metadata"] = metadata
    if metadata.get("namespace", namespace) != namespace:
        raise Failure(bad("the namespace of the provided object does not match the namespace sent on the request"))
    if name is not None and metadata.setdefault("name", name) != name:
        found = metadata["name"]
        raise Failure(bad(f"the name of the object ({found}) does not match the name on the URL ({name})"))
    if kind.namespaced:
        metadata["namespace"] = namespace
    return one


def filled(kind: Kind, one: Json) -> Json:
    """With the defaults that others rely on."""
    one = copy.deepcopy(one)
    if kind is SECRET:
        _fold(one)
        one.setdefault("type", "Opaque")
    if kind is NAMESPACE:
        one |= {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
    if kind is POD:
        _fill_pod(one.setdefault("spec", {}))
    if kind is DEPLOYMENT:
        _fill_deployment(one.setdefault("spec", {}))
    return one


def check(kind: Kind, one: Json, old: Json | None = None) -> None:
    """422 for what cannot be stored."""
    name = one["metadata"].get("name", "")
    causes = list(_name(kind, name))
    if kind is SECRET:
        causes += _secret(one, old)
    if kind is DEPLOYMENT:
        causes += _deployment(one, old)
    if kind is POD and old and _without_images(one) != _without_images(old):
        causes.append(("FieldValueForbidden", f"Forbidden: {POD_FIXED}", "spec"))
    if kind.custom and old and not one["metadata"].get("resourceVersion"):
        message = "Invalid value: 0x0: must be specified for an update"
        causes.append(("FieldValueInvalid", message, "metadata.resourceVersion"))
    if causes:
        raise Failure(invalid(kind, name, *causes))


Cause = tuple[str, str, str]


def _name(kind: Kind, name: str) -> list[Cause]:
    where = "metadata.name"
    if not name:
        return [("FieldValueRequired", NO_NAME, where)]
    if kind.group != RBAC and not (re.fullmatch(PATTERN, name) and len(name) <= 253):
        return [("FieldValueInvalid", f'Invalid value: "{name}": {BAD_NAME}', where)]
    return []


def _secret(one: Json, old: Json | None) -> list[Cause]:
    data, kind = one.get("data") or {}, one["type"]
    causes: list[Cause] = []
    if sum(len(_bytes(value)) for value in data.values()) > MOST_DATA:
        causes.append(("FieldValueTooLong", f"Too long: must have at most {MOST_DATA} bytes", "data"))
    if key := DOCKER.get(kind):
        causes += _docker(data, key)
    if old and old["type"] != kind:
        causes.append(("FieldValueInvalid", f'Invalid value: "{kind}": {FIXED}', "type"))
    if old and old.get("immutable"):
        message = f"Forbidden: {FIXED} when `immutable` is set"
        changed = [name for name in ("immutable", "data") if (one.get(name) or {}) != (old.get(name) or {})]
        causes += [("FieldValueForbidden", message, name) for name in changed]
    return causes


def _docker(data: Json, key: str) -> list[Cause]:
    if key not in data:
        return [("FieldValueRequired", "Required value", f"data[{key}]")]
    try:
        good = isinstance(json.loads(_bytes(data[key])), dict)
    except ValueError:
        good = False
    message = f'Invalid value: "{HIDDEN}": invalid character looking for beginning of value'
    return [] if good else [("FieldValueInvalid", message, f"data[{key}]")]


def _bytes(value: Any) -> bytes:
    try:
        return base64.b64decode(value or "", validate=True)
    except (binascii.Error, TypeError, ValueError):
        text = "v1.Secret.Data: decode base64: illegal base64 data at input byte 0"
        told = f'Secret in version "v1" cannot be handled as a Secret: {text}, error found in ...|{value}|...'
        raise Failure(bad(told)) from None


def _fold(one: Json) -> None:
    """`stringData` is written, never read."""
    plain = one.pop("stringData", None) or {}
    if plain:
        one["data"] = (one.get("data") or {}) | {k: base64.b64encode(v.encode()).decode() for k, v in plain.items()}


def _deployment(one: Json, old: Json | None) -> list[Cause]:
    spec = one["spec"]
    if "matchLabels" not in (spec.get("selector") or {}):
        return [("FieldValueRequired", "Required value", "spec.selector")]
    wanted = ",".join(f"{key}={value}" for key, value in spec["selector"]["matchLabels"].items())
    given = (spec["template"].get("metadata") or {}).get("labels") or {}
    if not labels(wanted)(given):
        text = f"Invalid value: {json.dumps(given)}: `selector` does not match template `labels`"
        return [("FieldValueInvalid", text, "spec.template.metadata.labels")]
    if old and old["spec"]["selector"] != spec["selector"]:
        return [("FieldValueInvalid", f"Invalid value: {json.dumps(spec['selector'])}: {FIXED}", "spec.selector")]
    return []


def _fill_deployment(spec: Json) -> None:
    spec.setdefault("replicas", 1)
    spec.setdefault("progressDeadlineSeconds", 600)
    spec.setdefault("revisionHistoryLimit", 10)
    strategy = spec.setdefault("strategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        strategy.setdefault("rollingUpdate", {"maxUnavailable": "25%", "maxSurge": "25%"})
    _fill_pod(spec.setdefault("template", {}).setdefault("spec", {}), in_template=True)


def _fill_pod(spec: Json, *, in_template: bool = False) -> None:
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    for container in (spec.get("initContainers") or []) + (spec.get("containers") or []):
        latest = ":" not in container.get("image", "").rpartition("/")[2]
        container.setdefault("imagePullPolicy", "Always" if latest else "IfNotPresent")
    if not in_template:
        account = spec.setdefault("serviceAccountName", spec.get("serviceAccount") or "default")
        spec["serviceAccount"] = account


def _without_images(one: Json) -> Json:
    spec = copy.deepcopy(one.get("spec") or {})
    for container in (spec.get("containers") or []) + (spec.get("initContainers") or []):
        container.pop("image", None)
    return spec


def admit(one: Json, account: Json | None) -> Json:
    """A new pod gets its service account's pull secrets, if it names none itself."""
    name = one["spec"]["serviceAccountName"]
    if account is None:
        where = one["metadata"]["namespace"]
        why = f'error looking up service account {where}/{name}: {SERVICE_ACCOUNT.kind.lower()} "{name}" not found'
        text = f'pods "{one["metadata"].get("name", "")}" is forbidden: {why}'
        raise Failure(status(403, "Forbidden", text, {"name": one["metadata"].get("name", ""), "kind": "pods"}))
    if not one["spec"].get("imagePullSecrets") and account.get("imagePullSecrets"):
        one["spec"]["imagePullSecrets"] = account["imagePullSecrets"]
    return one
