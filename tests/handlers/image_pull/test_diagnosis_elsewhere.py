"""/diagnose-image-pull against a cluster and a registry over HTTP: what no pull secret is to blame for, and what many
troubles at once, missing rights and a cluster that is away come to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.core.errors import Refused
from playground.kubernetes_kinds import DEPLOYMENT, SECRET

ECR = "111122223333.dkr.ecr.us-east-1.amazonaws.com"
REPOSITORY = "consultingfirm/frontend"
PULLER = "arn:aws:iam::606639739464:user/puller"
STRANGER = "arn:aws:sts::606639739464:assumed-role/builder/session-1"
RUNTIMES = ["cri-o", "cri-o-old", "containerd", "docker"]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_denied_across_accounts(world: Any, runtime: str) -> None:
    """Principal, action and repository are named, and the policies drafted for them; a session by its role."""
    world.life.pulls.runtime = runtime
    world.secret(world.user(STRANGER))
    world.deploy()
    found = world.ask()
    assert world.verdict(found) == "denied"
    resource = f"arn:aws:ecr:us-east-1:111122223333:repository/{REPOSITORY}"
    assert f"{STRANGER} may not ecr:BatchGetImage {resource}." in found.text[1]
    assert "no refresh mends that" in found.text[1]
    policy, trust = (json.loads(note.text)["Statement"][0] for note in found.notes)
    assert found.notes[0].label == f"Policy of the repository {REPOSITORY} (111122223333, us-east-1)"
    role = "arn:aws:iam::606639739464:role/builder"
    assert policy["Principal"] == trust["Principal"] == {"AWS": role}
    assert set(policy["Action"]) == {
        "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"
    }  # fmt: skip
    assert (trust["Action"], "sts:ExternalId" in str(trust["Condition"])) == ("sts:AssumeRole", True)
    assert (world.steps(found), world.offers(found)) == (["grant", "watch"], {})


def test_a_forged_denial_drafts_nothing(world: Any) -> None:
    """Whoever may write events may write anything: a denial of another repository opens none."""
    world.deploy()
    said = "denied: User: arn:aws:iam::999999999999:user/evil is not authorized to perform: ecr:BatchGetImage on "
    world.life.pulls.registries[ECR] = lambda *_: (
        f"error: {said}resource: arn:aws:ecr:us-east-1:111122223333:repository/other"
    )
    world.secret(world.user())
    world.registry.state = 500
    world.settle(30)
    found = world.ask()
    assert world.verdict(found) == "denied"
    assert not [note for note in found.notes if "policy" in note.label.lower()]


def test_what_the_registry_does_not_have(world: Any) -> None:
    """A tag and a repository that are not there are told apart; no pull secret is to blame."""
    world.secret(world.user())
    world.deploy("tag", f"{ECR}/{REPOSITORY}:v9")
    found = world.ask()
    assert world.verdict(found) == "no_tag"
    assert f"there is no {REPOSITORY}:v9" in found.title
    assert (world.steps(found), world.offers(found)) == (["correct-image", "watch"], {})
    world.remove("tag")
    world.deploy("repository", f"{ECR}/consultingfirm/typo:latest")
    assert world.verdict(world.ask()) == "no_repository"


def test_the_wrong_architecture(world: Any) -> None:
    """The image is made for other machines than the nodes: both are named."""
    world.registry.add(REPOSITORY, "arm", platforms=("linux/arm64",), pullers=(PULLER,))
    world.secret(world.user())
    world.life.pulls.registries[ECR] = lambda *_: "no_platform"
    world.deploy(image=f"{ECR}/{REPOSITORY}:arm")
    found = world.ask()
    assert world.verdict(found) == "wrong_architecture"
    assert "not for these nodes (amd64). It is made for linux/arm64." in found.text[1]
    world.life.pulls.registries[ECR] = lambda *_: "error: words of tomorrow"
    world.settle(30)
    assert world.verdict(world.ask()) == "wrong_architecture", "the manifest says so where the node does not"


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [("dns", "dns"), ("tls", "tls"), ("timeout", "timeout"), ("unreachable", "unreachable")],
)
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_way_of_the_node(world: Any, runtime: str, outcome: str, expected: str) -> None:
    """The node does not get there; that the bot does changes nothing, and is told."""
    world.life.pulls.runtime = runtime
    world.life.pulls.registries[ECR] = lambda *_: outcome
    world.secret(world.user())
    world.deploy()
    found = world.ask()
    assert world.verdict(found) == expected
    assert f"gives {REPOSITORY}:latest with this login" in found.text[1]
    assert world.steps(found) == ["network", "watch"]


def test_asked_too_often(world: Any) -> None:
    """A limit is waited for."""
    world.secret(world.user())
    world.registry.state = "limited"
    world.deploy()
    found = world.ask()
    assert (world.verdict(found), world.steps(found)) == ("rate_limited", ["wait", "watch"])


def test_no_name_of_an_image(world: Any) -> None:
    """A spelling mistake."""
    world.deploy(image=f"{ECR}/Consulting Firm:latest")
    assert world.verdict(world.ask()) == "invalid_name"


def test_mended_since(world: Any) -> None:
    """The secret was refreshed, and the pods have not tried again yet: nothing is to be done."""
    world.secret(world.user("expired"))
    world.deploy()
    world.secret(world.user())
    found = world.ask()
    assert world.verdict(found) == "tries_again"
    assert "they need no restart" in found.text[1]
    assert (world.steps(found), world.offers(found)) == (["watch"], {})
    world.settle(40)
    assert world.verdict(world.ask()) == "well"


def test_nothing_waits(world: Any) -> None:
    """All is well: said with the number of pods, and not posted when only a schedule asked."""
    world.secret(world.user())
    world.deploy()
    found = world.ask()
    assert (world.verdict(found), found.quiet) == ("well", True)
    assert found.text[1] == "2 pods looked at; none waits for an image."


def test_init_containers(world: Any) -> None:
    """The one that fails is named, as the init container that it is."""
    world.secret(world.user())
    world.deploy()
    deployment = world.cluster.get(DEPLOYMENT, "naming-server-new", "cf-dev")
    init = {"name": "migrate", "image": f"{ECR}/consultingfirm/typo:1"}
    deployment["spec"]["template"]["spec"]["initContainers"] = [init]
    world.cluster.store.replace(DEPLOYMENT, deployment)
    world.settle(20)
    found = world.ask()
    assert world.verdict(found) == "no_repository"
    assert found.table.rows[0][1] == "migrate (init)"


@pytest.mark.parametrize("runtime", ["cri-o-old", "containerd", "docker"])
def test_events_are_gone(world: Any, runtime: str) -> None:
    """After an hour only back-off is left; what is to be seen in the secret and at the registry is enough."""
    world.life.pulls.runtime = runtime
    world.life.kubelets.back_off = (10_000.0,)
    world.deploy("missing", pull=("nowhere",))
    world.secret(world.user("expired"))
    world.deploy("expired")
    world.forget()
    found = world.ask()
    assert {row[0]: row[3] for row in found.table.rows} == {
        "missing (2 pods)": "pull secret nowhere is missing",
        "expired (2 pods)": "the login in ecr-secret has expired",
    }
    world.remove("missing"), world.remove("expired")
    world.deploy("tag", f"{ECR}/{REPOSITORY}:v9")
    world.forget()
    assert world.verdict(world.ask()) == "expired"
    world.secret(world.user())
    assert world.verdict(world.ask()) == "no_tag"


def test_several_troubles(world: Any) -> None:
    """The worst first, each in a row, and the button for the one secret that a refresh mends."""
    world.secret(world.user("expired"))
    world.deploy("web")
    world.deploy("api", image=f"{ECR}/Api", replicas=1)
    found = world.ask()
    assert world.verdict(found) == "expired"
    assert found.title.endswith(", and 1 more")
    assert len(found.table.rows) == 2
    assert world.steps(found) == ["refresh", "correct-image", "watch"]
    only = world.ask(where="cf-dev", what="api")
    assert (world.verdict(only), len(only.table.rows)) == ("invalid_name", 1)
    pod = next(one["metadata"]["name"] for one in world.pods() if one["metadata"]["name"].startswith("web"))
    assert world.ask(where="cf-dev", what=pod).title.startswith(pod)


def test_another_secret_than_ours(world: Any) -> None:
    """The pods pull with a secret that the settings do not look after: no refresh is offered, for it would not help."""
    world.secret(world.user("expired"), name="mine")
    world.deploy(pull=("mine",))
    found = world.ask()
    assert (world.verdict(found), world.offers(found)) == ("expired", {})
    assert "the login in mine has expired" in found.title


def test_a_registry_that_nobody_named(world: Any) -> None:
    """A pod may name any host: the bot does not go there, and says so."""
    host = "169.254.169.254:80"
    world.life.pulls.registries[host] = lambda *_: "unauthorized"
    world.secret(world.user(), host=host)
    world.deploy(image=f"{host}/a/b:c")
    found = world.ask()
    assert any("did not ask it" in warning for warning in found.warnings)
    assert not world.registry.log


def test_an_old_type_is_no_mistake(world: Any) -> None:
    """OpenShift gives every service account a secret of the older type, for its own registry."""
    world.cluster.put(
        SECRET,
        {"metadata": {"name": "default-dockercfg-x", "namespace": "cf-dev"}, "type": "kubernetes.io/dockercfg",
         "data": {".dockercfg": "e30="}},
    )  # fmt: skip
    world.give("default-dockercfg-x")
    world.secret(world.user())
    world.deploy(pull=())
    assert world.verdict(world.ask()) == "not_referenced"


def test_without_the_command(world: Any) -> None:
    """Where /refresh-ecr is not enabled the step is a person's."""
    world.deploy()
    found = world.without("refresh-ecr").ask()
    assert (world.steps(found), world.offers(found)) == (["refresh", "watch"], {})


def test_what_may_not_be_read(world: Any) -> None:
    """Without a right to secrets, the words of the node decide, and what could not be read is named with the verb."""
    world.secret(world.user("expired"))
    world.deploy()
    world.cluster.deny("get", "secrets", "cf-dev")
    found = world.ask()
    assert world.verdict(found) == "expired"
    assert any("secrets" in warning and "get" in warning for warning in found.warnings)


def test_with_rights_to_our_secret_only(world: Any) -> None:
    """As deploy/rbac/ecr.yaml grants it: of other secrets the nodes tell that they are missing, or why they fail; and
    those that OpenShift gives to service accounts are not even asked for."""
    others = [rule for rule in world.rights if rule["resources"] != ["secrets"]]
    ours = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["ecr-secret"], "verbs": ["get"]}
    world.grant([*others, ours])
    world.secret(world.user("expired"), name="mine")
    world.deploy("web", pull=("nowhere",))
    world.deploy("api", pull=("mine",))
    found = world.ask()
    assert {row[0]: row[3] for row in found.table.rows} == {
        "web (2 pods)": "pull secret nowhere is missing",
        "api (2 pods)": "the login in mine has expired",
    }
    assert world.offers(found) == {}
    assert [warning for warning in found.warnings if "secrets" in warning and "mine" in warning]
    world.remove("web"), world.remove("api")
    world.secret(world.user())
    world.give("default-dockercfg-x7k2p")
    world.deploy(pull=())
    found = world.ask()
    assert (world.verdict(found), found.warnings) == ("not_referenced", ())


def test_where_is_that(world: Any) -> None:
    """Environment, namespace, both, cluster/namespace; anything else is refused with what there is."""
    world.deploy()
    for where in ("", "all", "dev", "DEV", "cf-dev", "dev/cf-dev", "one/cf-dev"):
        assert world.verdict(world.ask(where=where)) == "secret_missing"
    with pytest.raises(Refused, match=r"no namespace cf-prod.*There are: dev and cf-dev"):
        world.ask(where="cf-prod")
    with pytest.raises(Refused, match="no pod of nobody in cf-dev of cluster one"):
        world.ask(where="dev", what="nobody")
    name = world.ask().table.rows[0][0].partition(" ")[0]
    for kind in ("deployment/", "deploy/", "Deployment/", ""):
        assert world.verdict(world.ask(where="dev", what=f"{kind}{name}")) == "secret_missing"


def test_a_cluster_that_is_away(world: Any) -> None:
    """Not known is not well."""
    world.cluster.down()
    found = world.ask()
    assert world.verdict(found) == "unknown"
    assert found.warnings
    assert not found.quiet
