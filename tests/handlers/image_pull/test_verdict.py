"""The judgement and what follows from it, without any cluster: complete, and calm whatever it is given."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import handlers
from bot.core.diagnosis import Diagnosis
from bot.core.ports import ReadTools
from bot.core.registry import Pull
from handlers.ecr import Settings
from handlers.image_pull_diagnosis import CALLED, STEPS, tell
from handlers.image_pull_look import Place, Seen
from handlers.image_pull_pods import REASONS, Waiting, fetched, waiting, waits
from handlers.image_pull_policy import drafts, principal
from handlers.image_pull_posted import of_text
from handlers.image_pull_told import SHORT, reason, short
from handlers.image_pull_verdict import OLD_TYPE, Facts, Given, Verdict, judge
from handlers.image_pull_words import KNOWN, Said

ECR = "111122223333.dkr.ecr.us-east-1.amazonaws.com"
WHO = "arn:aws:iam::606639739464:user/a"
WHAT = "arn:aws:ecr:us-east-1:111122223333:repository/a/b"
TARGETS = Settings.model_validate(
    {"environments": {"dev": {"cluster": "one", "namespaces": ["cf-dev"], "registry": ECR}}}
).targets()
OUTCOMES = ["ok", "expired", "denied", "unauthorized", "no_repository", "no_tag", "rate_limited", "dns", "tls",
            "timeout", "unreachable", "not_a_registry", "error"]  # fmt: skip
TYPES = st.sampled_from(["kubernetes.io/dockerconfigjson", OLD_TYPE, "Opaque"])
GIVEN = st.builds(
    Given, name=st.sampled_from(["ecr-secret", "mine"]), there=st.booleans(), type=TYPES, fits=st.booleans(),
    trouble=st.sampled_from(["", "It has no key."]), ends=st.none() | st.sampled_from([1.0, 1e10]),
    unread=st.sampled_from(["", "The bot may not get secrets."]),
)  # fmt: skip
WAITING = st.builds(
    Waiting, pods=st.sampled_from([("a-1",), ("a-1", "a-2")]), workload=st.sampled_from(["", "a"]),
    container=st.just("c"), init=st.booleans(), image=st.sampled_from([f"{ECR}/a/b:c", "nginx", "A B", ""]),
    said=st.builds(Said, cause=st.sampled_from([*(cause for cause, _ in KNOWN), "unknown", ""])),
    since=st.none() | st.just(5.0), account=st.just("default"),
    secrets=st.sampled_from([(), ("ecr-secret",), ("ecr-secret", "mine")]),
)  # fmt: skip
FACTS = st.builds(
    Facts, cluster=st.just("one"), namespace=st.just("cf-dev"), waiting=WAITING, now=st.just(1e9),
    given=st.lists(GIVEN, max_size=2).map(tuple), account_has=st.lists(GIVEN, max_size=2).map(tuple),
    others=st.lists(GIVEN, max_size=1).map(tuple), targets=st.sampled_from([(), TARGETS]),
    answer=st.none() | st.builds(Pull, outcome=st.sampled_from(OUTCOMES), told=st.just("It says so."),
                                 platforms=st.sampled_from([(), ("linux/arm64",)])),
    architectures=st.sampled_from([(), ("amd64",), ("amd64", "arm64")]),
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["a", *REASONS]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["metadata", "spec", "status", "name", "containers", "containerStatuses", "state",
                                       "waiting", "reason", "message", "image", "ownerReferences", "labels",
                                       "imagePullSecrets", "involvedObject", "uid", "lastTimestamp"]), inner, max_size=6),
    max_leaves=20,
)  # fmt: skip
STATUS = st.fixed_dictionaries(
    {"state": st.fixed_dictionaries({"waiting": st.fixed_dictionaries({"reason": st.sampled_from(REASONS) | JSON})})},
    optional={"name": JSON, "imageID": JSON},
)
PODS = st.fixed_dictionaries(
    {"status": st.fixed_dictionaries({"containerStatuses": st.lists(STATUS, max_size=2) | JSON})},
    optional={"metadata": JSON, "spec": JSON},
)
OBJECTS = st.lists(JSON.filter(lambda one: isinstance(one, dict)), max_size=3)


class Shelf:
    """Only the runbooks beside the handlers, and one command."""

    commands = frozenset({"refresh-ecr"})

    class runbooks:
        @staticmethod
        def find(_: str) -> None: ...


SHELF: Any = Shelf()


def told(facts: tuple[Facts, ...], tools: ReadTools = SHELF) -> Diagnosis:
    place = Place(cluster="one", namespace="cf-dev", targets=TARGETS)
    found = tell((Seen(place=place, pods=2, findings=tuple(map(judge, facts))),), tools)
    return Diagnosis.model_validate(json.loads(found.model_dump_json()))


@given(st.lists(FACTS, max_size=3).map(tuple))
def test_whatever_is_found_is_told(facts: tuple[Facts, ...]) -> None:
    """Every combination has a verdict, a title that fits, a step to take, and is over only if nothing waits."""
    found = told(facts)
    assert found.over == (not facts)
    assert found.title
    assert bool(found.steps) == bool(facts)
    assert "None" not in found.model_dump_json().replace("null", "")
    for one in facts:
        assert short(judge(one)) in SHORT[judge(one).verdict] or "{" in SHORT[judge(one).verdict]
        assert reason(judge(one)).startswith(one.waiting.who)


@given(FACTS)
def test_a_refresh_is_offered_only_for_the_secret_that_it_writes(facts: Facts) -> None:
    """The button writes the settings' secret for this image's registry: never when another secret is to blame."""
    found = judge(facts)
    offered = [step.offer for step in told((facts,)).steps if step.offer]
    if offered:
        assert facts.target is not None
        assert found.secret in ("", facts.target.secret)
        assert offered[0].ask["namespace"] == ["cf-dev"]


@given(st.lists(PODS, max_size=3) | OBJECTS, OBJECTS)
def test_any_shape_of_pods_and_events(pods: list[Any], events: list[Any]) -> None:
    """Whatever an API gives: pods that wait are found by their reasons alone, and nothing fails."""
    found = waiting(pods, events)
    assert bool(found) == any(map(waits, pods))
    assert all(fetched(pod) in (True, False) for pod in pods)


def test_pods_that_end_do_not_wait() -> None:
    """One that is being removed, or that the cluster has ended, keeps no incident open."""
    state = {"containerStatuses": [{"name": "a", "state": {"waiting": {"reason": "ImagePullBackOff"}}}]}
    assert waits({"status": state})
    assert not waits({"status": state, "metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}})
    assert not waits({"status": {**state, "phase": "Failed"}})


def test_no_verdict_without_words_and_steps() -> None:
    """Every verdict is explained in the runbook, has words, and calls for steps; no step is dead."""
    assert set(CALLED) == set(Verdict)
    assert {name for steps in CALLED.values() for name in steps} == set(STEPS)
    assert set(SHORT) == set(Verdict) - {Verdict.UNKNOWN, Verdict.WELL}
    text = (Path(handlers.__file__).parent / "diagnose_image_pull.md").read_text(encoding="utf-8")
    explained = {word for row in re.findall(r"^\| ([a-z_, ]+) \|", text, re.MULTILINE) for word in row.split(", ")}
    assert explained == set(Verdict)


DENIED = f"User: {WHO} is not authorized to perform: ecr:BatchGetImage on resource: {WHAT}"


def denial(rest: str = "", resource: str = WHAT, image: str = f"{ECR}/a/b:c") -> Any:
    text = f"denied: User: {WHO} is not authorized to perform: ecr:BatchGetImage on resource: {resource}{rest}"
    return of_text(f'Failed to pull image "{image}": {text}')


def test_which_policy() -> None:
    """The repository's, unless the text says that the principal's own is what lacks it; none where one denies it."""
    assert drafts(denial())[0].label == "Policy of the repository a/b (111122223333, us-east-1)"
    identity = drafts(denial(" because no identity-based policy allows the ecr:BatchGetImage action"))[0]
    assert identity.label == f"Policy of {WHO}"
    assert json.loads(identity.text)["Statement"][0]["Resource"] == WHAT
    assert drafts(denial(" with an explicit deny in a resource-based policy")) == ()


def test_only_for_the_image() -> None:
    """Another repository, account or region than the image's is drafted for by nobody."""
    for other in (WHAT.replace("a/b", "a/c"), WHAT.replace("1111", "2222"), WHAT.replace("east", "west"), "*"):
        assert drafts(denial(resource=other)) == ()


def test_sessions_by_their_role() -> None:
    """A session ends; its role is what a policy names. Others stay as they are."""
    assert principal("arn:aws:sts::606639739464:assumed-role/r/s") == "arn:aws:iam::606639739464:role/r"
    assert principal(WHO) == WHO


def test_the_drafts_fit_a_message() -> None:
    """Longer ones would be cut, and half a policy is none."""
    assert all(len(note.text) < 400 for note in drafts(denial()))
    path = "/".join(["x" * 60] * 6)
    assert drafts(of_text(f'pull image "{ECR}/a/b:c": {DENIED.replace(":user/a", f":user/{path}/a")}')) == ()
    assert sum(len(note.label) + len(note.text) + 8 for note in drafts(denial())) < 800
