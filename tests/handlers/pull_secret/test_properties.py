"""For all pull secrets, old and new: nothing of the old is lost, twice is once, and equal content is no plan."""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.core.errors import Refused
from bot.core.kubernetes import SecretObject
from bot.core.ocm import Transfer, Window
from bot.core.ports import ReadTools
from bot.core.secret import Secret
from bot.tools.absent import NoVault
from bot.tools.cluster import Clusters
from bot.tools.docker_configs import DockerConfigs
from bot.tools.documents import Base64Yaml
from bot.tools.fingerprints import KeyedFingerprints
from bot.tools.jobs import JobFiles
from bot.tools.tokens import JwtClaims
from handlers import pull_secret, pull_secret_look
from handlers.pull_secret_case import judge
from handlers.pull_secret_look import Held, Seen
from handlers.pull_secret_steps import WritePullSecret

MARKS = KeyedFingerprints(Secret("a key for these tests only"))
TOOLS = ReadTools(vault=NoVault(), fingerprints=MARKS, tokens=JwtClaims(), documents=Base64Yaml(), clusters=Clusters({}),
                  jobs=JobFiles(()), now=lambda: 0.0, docker_configs=DockerConfigs(MARKS))  # fmt: skip
HOSTS = st.sampled_from(
    ["cloud.openshift.com", "quay.io", "registry.example.com:5000", "https://index.docker.io/v1/", "a.b/c"]
)
AUTH = st.text("abc", min_size=1, max_size=4).map(lambda word: base64.b64encode(f"u:{word}".encode()).decode())
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=3,
)
SOUND = st.fixed_dictionaries({"auth": AUTH}, optional={"email": st.none() | st.text(max_size=5), "x": ANY})
WEIRD = st.one_of(SOUND, st.none(), ANY, st.fixed_dictionaries({}, optional={"auth": ANY, "username": ANY, "x": ANY}))
GOOD = st.fixed_dictionaries({"auths": st.dictionaries(HOSTS, SOUND | st.none(), max_size=4)}, optional={"other": ANY})
LOOSE = st.fixed_dictionaries(
    {"auths": st.dictionaries(HOSTS | st.text(max_size=5), WEIRD, max_size=4)}, optional={"other": ANY}
)


def seen(old: Secret, new: Secret) -> Seen:
    secret = SecretObject("openshift-config", "pull-secret", "kubernetes.io/dockerconfigjson", {}, "1", 0)
    transfer = Transfer(id="t", owner="joe", recipient="jack", expires_at=1.0)
    window = Window(reason="AcceptedClusterTransfer", healthy=True, told="", status=200, transfer=transfer)
    return Seen(Held("one", secret, old, None), window, new)


def merged(old: Secret, new: Secret) -> Secret | None:
    """What a sync would write; None when it would write nothing."""
    case = judge(seen(old, new), TOOLS, live=False)
    if case.trouble is not None:
        assert isinstance(case.trouble, Refused)
        assert case.found is None
        return None
    assert case.found is not None
    assert case.ready == case.found.differs
    return case.found.merged if case.ready else None


def text(document: Any) -> Secret:
    return Secret(json.dumps(document))


def holds(value: Any, old: Any) -> bool:
    """Has an entry lost nothing but values that were given anew?"""
    return value == old if not isinstance(old, dict) else isinstance(value, dict) and set(old) <= set(value)


@given(old=LOOSE, new=GOOD | LOOSE)
@settings(max_examples=settings.default.max_examples // 2)
def test_nothing_disappears(old: Any, new: Any) -> None:
    """No registry, no field of one, and nothing beside `auths`; what the new one does not name is the same to the byte."""
    made = merged(text(old), text(new))
    if made is None:
        return
    after = json.loads(made.reveal())
    assert {key: value for key, value in after.items() if key != "auths"} == {
        k: v for k, v in old.items() if k != "auths"
    }
    for host, entry in old["auths"].items():
        assert holds(after["auths"][host], entry) or new["auths"].get(host) is not None
        if new["auths"].get(host) is None:
            assert after["auths"][host] == entry


@given(old=LOOSE, new=GOOD)
@settings(max_examples=settings.default.max_examples // 2)
def test_twice_is_once(old: Any, new: Any) -> None:
    """What a sync has written differs no more from what OCM has, and all that OCM has is in it."""
    made = merged(text(old), text(new))
    if made is None:
        return
    assert merged(made, text(new)) is None
    after = json.loads(made.reveal())["auths"]
    for host, entry in new["auths"].items():
        assert all(after[host][key] == value for key, value in (entry or {}).items() if value is not None)


@given(same=GOOD, spaces=st.integers(0, 4), backwards=st.booleans())
def test_equal_content_is_no_plan(same: Any, spaces: int, backwards: bool) -> None:
    """However it is spelled and ordered; null entries say nothing, so they count as equal, too."""
    entries = {host: entry for host, entry in same["auths"].items() if entry is not None}
    new = {"auths": dict(reversed(same["auths"].items())) if backwards else same["auths"]}
    assert merged(text({"auths": entries}), Secret(json.dumps(new, indent=spaces))) is None


@given(document=st.text(max_size=40) | st.binary(max_size=40).map(lambda raw: raw.decode("utf-8", "surrogateescape")))
def test_anything_at_all(document: str) -> None:
    """Whatever OCM offers, and whatever is in the cluster, it ends in a case or in our own refusal, never otherwise."""
    sound = text({"auths": {"quay.io": {"auth": "dTph"}}})
    for old, new in ((sound, Secret(document)), (Secret(document), sound)):
        case = judge(seen(old, new), TOOLS, live=False)
        assert not case.ready or case.trouble is None
        assert len(document) < 8 or document not in str(case.trouble)


@given(old=GOOD, new=GOOD)
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_all_the_way(world: Any, old: Any, new: Any) -> None:
    """Through OCM, the plan and the cluster: every entry of the old is there afterwards, and undone it is as it was."""
    token = world.auths("two")["cloud.openshift.com"]
    old = {
        **old,
        "auths": {**{host: entry for host, entry in old["auths"].items() if entry}, "cloud.openshift.com": token},
    }
    world.put(old, "two")
    world.ocm.open_window(
        world.ids["two"],
        "joe",
        "jack",
        json.dumps({"auths": {**new["auths"], "cloud.openshift.com": token}}),
        world.now() + 9e4,
    )
    case = judge(pull_secret_look.look("two", world.read_tools), world.read_tools, live=False)
    was = world.raw("two")
    try:
        if case.ready:
            step = WritePullSecret(sync=pull_secret.sync_of(case, world.read_tools))
            step.do(world.tools, world.ref)
            assert step.done(world.read_tools)
            assert set(old["auths"]) <= set(world.auths("two"))
            step.undo(world.tools, world.ref)
            step.retire(world.tools, world.ref)
        assert world.raw("two") == was
    finally:
        world.ocm.close(world.ids["two"])
