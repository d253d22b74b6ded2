"""What /refresh-ecr keeps of a pull secret while runs follow each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.core.errors import Refused, Transient
from bot.core.plan import Plan, Step
from handlers import ecr_ground

QUAY = {"auths": {"quay.io": {"auth": "eDp5"}}}
BACKUP = "ecr-secret-before-hivekeeper"
ROLE = Path(ecr_ground.__file__).parents[1] / "deploy" / "rbac" / "ecr.yaml"
HOUR = 3600


def writing(plan: Plan) -> Step:
    return plan.stages[0].steps[0]


def refreshed(world: Any, run: str) -> tuple[Step, dict[str, Any]]:
    """A run to its end: its step, and the secret as it left it."""
    world.run = run
    plan = world.plan(env=("dev",), force=True)
    assert world.apply(plan) == {}
    return writing(plan), world.secret()


def test_two_runs_and_undo_of_the_second(world: Any) -> None:
    """The login of the first run comes back, and there never is more than one backup."""
    world.put_secret(QUAY)
    refreshed(world, "run-1")
    world.wait(10 * HOUR)  # else it is the same login
    first = world.secret()
    second, after = refreshed(world, "run-2")
    assert after["data"] != first["data"]
    assert world.secret(name=BACKUP)["data"] == first["data"]
    second.undo(world.tools, world.ref)
    now = world.secret()
    assert (now["data"], now["metadata"]["annotations"]) == (first["data"], first["metadata"]["annotations"])


def test_retiring_the_first_when_the_second_has_begun(world: Any) -> None:
    """A day later the first run's time is over: the second one's backup stays, and it can still be undone."""
    world.put_secret(QUAY)
    first, before = refreshed(world, "run-1")
    world.wait(10 * HOUR)  # else it is the same login
    second, _ = refreshed(world, "run-2")
    world.run = "run-1"
    first.retire(world.tools, world.ref)
    with pytest.raises(Refused, match="Run run-2 has worked on the Secret cf-dev/ecr-secret since"):
        first.undo(world.tools, world.ref)
    world.run = "run-2"
    second.undo(world.tools, world.ref)
    assert world.secret()["data"] == before["data"]
    second.retire(world.tools, world.ref)
    assert world.secret(name=BACKUP) is None


def test_killed_between_the_backup_and_the_secret(world: Any) -> None:
    """With the earlier run's backup replaced and nothing written: begun again, the run keeps the same once more."""
    world.put_secret(QUAY)
    _, first = refreshed(world, "run-1")
    world.run = "run-2"
    step = writing(world.plan(env=("dev",), force=True))
    cluster = world.clusters["one"]
    cluster.on_write = lambda _, moment: cluster.down() if moment == "after" else None
    with pytest.raises(Transient):
        step.do(world.tools, world.ref)
    cluster.on_write = None
    cluster.heal()
    assert world.secret()["data"] == world.secret(name=BACKUP)["data"] == first["data"]
    world.wait(10 * HOUR)
    step.do(world.tools, world.ref)
    assert world.secret()["data"] != first["data"]
    assert world.secret(name=BACKUP)["data"] == first["data"]
    step.undo(world.tools, world.ref)
    assert world.secret()["data"] == first["data"]


def test_another_runs_backup_is_not_read(world: Any) -> None:
    """Where there is no secret any more, a run writes what its plan says: a new one, without an earlier run's logins."""
    world.put_secret(QUAY)
    first, _ = refreshed(world, "run-1")
    world.admin().delete_secret("one", "cf-dev", "ecr-secret")
    (said,) = [warning for warning in world.plan(env=("dev",)).warnings if BACKUP in warning]
    assert said.startswith(
        f"dev/cf-dev: the secret is gone, and {BACKUP} beside it has logins for quay.io; they are not"
    )
    second, _ = refreshed(world, "run-2")
    assert "quay.io" not in world.auths()
    second.undo(world.tools, world.ref)
    assert world.secret() is None
    world.run = "run-1"
    first.undo(world.tools, world.ref)
    assert set(world.auths()) == {"quay.io"}


def test_the_rights_are_those_of_the_role(world: Any) -> None:
    """`hivekeeper check` asks for each right to Secrets that deploy/rbac/ecr.yaml grants, by name, and for no other."""
    rules = [
        rule for rule in yaml.safe_load(ROLE.read_text().split("---")[0])["rules"] if rule["resources"] == ["secrets"]
    ]
    granted = {(verb, name) for rule in rules for verb in rule["verbs"] for name in rule.get("resourceNames", [""])}
    needed = [need.access for need in ecr_ground.needs(world.settings)]
    of_dev = [one for one in needed if (one.resource, one.namespace) == ("secrets", "cf-dev")]
    assert {(one.verb, one.name) for one in of_dev} == granted
    assert len(of_dev) == len(granted)


def test_nothing_is_asked_for_that_the_role_does_not_grant(world: Any) -> None:
    """Restarts and service accounts included; of the role only the events are for another command."""
    world.configure(service_accounts=["default"])
    rules = yaml.safe_load(ROLE.read_text().split("---")[0])["rules"]
    granted = {
        (verb, resource, name)
        for rule in rules for verb in rule["verbs"] for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
    }  # fmt: skip
    needed = [need.access for need in ecr_ground.needs(world.settings) if need.access.namespace == "cf-dev"]
    left = granted - {(one.verb, one.resource, one.name) for one in needed}
    assert {(one.verb, one.resource, one.name) for one in needed} <= granted
    assert left == {("list", "events", ""), ("get", "pods", "")}


def test_another_secret_where_the_backup_goes(world: Any) -> None:
    """Nothing is written without a backup, and the sentence names the one in the way."""
    world.put_secret(QUAY)
    world.put_secret({"auths": {}}, name=BACKUP)
    plan = world.plan(env=("dev",))
    with pytest.raises(Refused, match=f"cf-dev/{BACKUP} is where the backup of ecr-secret goes, but is not one"):
        writing(plan).do(world.tools, world.ref)
    assert set(world.auths()) == {"quay.io"}
