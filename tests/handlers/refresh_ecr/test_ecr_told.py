"""A refresh in words, for one target and for two hundred."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.aws import Caller, RegistryToken
from bot.core.errors import Refused
from bot.core.plan import Plan
from bot.core.registry import Login
from bot.core.secret import Secret
from bot.core.view import RunView, State
from bot.edges.render import run_message
from handlers.ecr import Settings, Target
from handlers.ecr_found import Found
from handlers.ecr_ground import Ground
from handlers.ecr_look import Held
from handlers.ecr_told import counted, failures, listed, notes, title, warnings
from handlers.ecr_users import User
from handlers.refresh_ecr import RefreshEcr, propose

NOW = 1.9e9
NAMES = st.lists(st.from_regex(r"[a-z]([a-z0-9-]{0,40}[a-z0-9])?", fullmatch=True), unique=True, max_size=4).map(tuple)
WE = Caller(account="111122223333", arn="arn:aws:iam::111122223333:user/x")
TOKEN = RegistryToken(Login("AWS", Secret("made up")), NOW + 43200, "registry.example.com")
GROUND = Ground({("default", "us-east-1"): WE}, {("default", "us-east-1"): TOKEN}, {})


def target(env: int, namespace: int) -> Target:
    environment = {"cluster": f"c{env}", "namespaces": [f"cf-{namespace}"], "registry": "registry.example.com"}
    return Settings.model_validate({"environments": {f"env-{env}": environment}}).targets()[0]


@st.composite
def found(draw: st.DrawFn, number: int) -> Found:
    held = Held(
        target=target(number // 20, number % 20),
        there=draw(st.booleans()),
        type=draw(st.sampled_from(["kubernetes.io/dockerconfigjson", "Opaque", "<@U9>"])),
        written_at=draw(st.none() | st.floats(0, NOW)),
        expires_at=draw(st.none() | st.floats(0, 2 * NOW)),
        trouble=draw(st.text(max_size=80)),
        others=draw(NAMES),
        manager=draw(st.text(max_size=10)),
    )
    return Found(
        held=held,
        due=draw(st.booleans()),
        users=tuple(User(name=name, account=draw(st.sampled_from(["", "default"]))) for name in draw(NAMES)),
        restart=draw(NAMES),
        paused=draw(NAMES),
        accounts=draw(NAMES),
        others=draw(NAMES.map(lambda names: tuple(f"StatefulSet {name}" for name in names))),
        remnant=draw(NAMES),
    )


@settings(max_examples=settings.default.max_examples // 5)
@given(st.data(), st.integers(1, 6))
def test_any_plan_can_be_shown(data: st.DataObject, count: int) -> None:
    """Whatever is found, the plan becomes a message that Slack takes, and nothing in it is markup of others."""
    all_found = tuple(one for n in range(count) if not (one := data.draw(found(n * 7))).idle)
    if not all_found:
        return
    plan = propose(RefreshEcr(), all_found, {}, GROUND, NOW)
    assert isinstance(plan, Plan)
    view = RunView(id="r-1", revision=1, command="refresh-ecr", asker="U1", source="slack", state=State.PROPOSED,
                   asked_at=NOW, proposed_at=NOW, expires_at=NOW + 60, plan=plan, digest=plan.digest)  # fmt: skip
    message = run_message(view)
    assert "<@U9>" not in str(message.blocks)


def one(number: int) -> Found:
    return Found(held=Held(target=target(number // 20, number % 20)), due=True, restart=("web", "api"))


def test_few_are_told_one_by_one_and_many_by_environment() -> None:
    """Four targets have notes of their own; two hundred are ten notes with counts, and warnings that name three."""
    few = notes(tuple(one(n) for n in range(4)), GROUND, NOW)
    assert [note.label for note in few if note.label.startswith("env")] == [f"env-0/cf-{n}" for n in range(4)]
    many = tuple(one(n) for n in range(200))
    told = notes(many, GROUND, NOW)
    assert [note.label for note in told] == [*(f"env-{n}" for n in range(10)), "At Amazon we are"]
    assert told[0].text == (
        "20 pull secrets written for registry.example.com, 20 of them new, 40 Deployments restarted, in cluster c0"
    )
    assert title(many) == "Refresh 200 ECR pull secrets and restart 400 Deployments"
    assert warnings(many, GROUND)[0] == "No workload pulls with the secret in env-0/cf-0, env-0/cf-1 and 198 more."


def test_what_there_is_now() -> None:
    """Of a secret that is there its type and the registries in it, with its age and its end."""
    there = Held(
        target=target(0, 0), there=True, type="kubernetes.io/dockerconfigjson", entry=True, others=("quay.io",),
        noted="registry.example.com", written_at=NOW - 7200, expires_at=NOW + 36000,
    )  # fmt: skip
    (note, *_) = notes((Found(held=there, due=True),), GROUND, NOW)
    assert note.text == (
        "ecr-secret in cluster c0 (kubernetes.io/dockerconfigjson, with registry.example.com and quay.io): "
        "2 h old, ends in 10 h. A new login for registry.example.com is written; the logins for quay.io stay."
    )


def test_one_reason_is_told_once() -> None:
    """Targets that fail for one reason are one warning; each other reason is another."""
    away, gone = Refused("It is away.", "Wait."), Refused("It is gone.", "Make it.")
    failed = {target(0, n): away if n else gone for n in range(5)}
    assert failures(failed) == (
        "env-0/cf-0: left out. It is gone. Make it.",
        "env-0/cf-1, env-0/cf-2 and 2 more: left out. It is away. Wait.",
    )


def test_names_and_counts() -> None:
    """As people write them."""
    assert [listed(tuple("abcd"[:n])) for n in range(5)] == ["", "a", "a and b", "a, b and c", "a, b and 2 more"]
    assert [counted("pod", n) for n in range(3)] == ["", "1 pod", "2 pods"]
