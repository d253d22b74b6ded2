"""Where the keys of a way into Amazon come from, and what is said when they do not come."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pytest

from bot.core.errors import Refused, Told, Transient

REGION = "us-east-1"


def told(kind: type[Told], ask: Any) -> str:
    with pytest.raises(kind) as caught:
        ask()
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert caught.value.now.endswith(".")
    return str(caught.value)


# --- keys, profiles, the machine's own ------------------------------------------------------------------------------


def test_session_keys_need_their_token(scene: Any) -> None:
    """Temporary keys work with the session token that belongs to them, and with no other."""
    session = scene.aws.session(scene.dev)
    assert scene.open(scene.static(session)).who("dev", REGION).arn == scene.dev.arn
    bare = scene.static(session, "bare")
    del bare["session_token"]
    assert "does not know the key of access dev (403)" in told(Refused, lambda: scene.open(bare).who("dev", REGION))


def test_static_keys_are_read_each_time(scene: Any) -> None:
    """Who puts new ones in place need not restart the bot."""
    auth = scene.static(scene.dev)
    aws = scene.open(auth)
    aws.who("dev", REGION)
    other = scene.aws.user("wasp")
    scene.aws.revoke(scene.dev)
    scene.static(other)
    assert aws.who("dev", REGION).arn == other.arn


@pytest.mark.parametrize("spoilt", ["\n", "\r\nx: y", " ", "ü"])
def test_a_spoilt_key_is_told_and_not_shown(scene: Any, spoilt: str) -> None:
    """A line break in a key is a frequent mistake, and clients quote it."""
    auth = scene.static(scene.dev)
    scene.file("dev-secret_access_key", scene.dev.secret + spoilt + "x")
    said = told(Refused, lambda: scene.open(auth).who("dev", REGION))
    assert "characters that none has" in said
    assert scene.aws.asked == []


def profile(scene: Any, config: str, credentials: str, name: str = "hive") -> dict[str, Any]:
    return {
        "method": "profile", "profile": name,
        "config_file": scene.file("config", config), "credentials_file": scene.file("credentials", credentials),
    }  # fmt: skip


def as_profile(keys: Any, name: str = "hive") -> str:
    return f"[{name}]\naws_access_key_id = {keys.key_id}\naws_secret_access_key = {keys.secret}\n"


def test_a_profile(scene: Any) -> None:
    """Its keys are used, in the region that was asked for and not in its own."""
    auth = profile(scene, "[profile hive]\nregion = eu-west-1\n", as_profile(scene.dev))
    assert scene.open(auth).who("dev", REGION).arn == scene.dev.arn
    assert scene.aws.asked[-1][2] == REGION


PROFILES = [
    ("", "", "names an AWS profile that is not on the bot's machine"),
    ("[profile hive]\nregion = eu-west-1\n", "", "no AWS credentials for access dev"),
    ("", "[hive]\naws_access_key_id = AKIAEXAMPLE\n", "are not whole"),
    ("[[[gobbledygook", "", "cannot be used as it is written"),
    ("[profile hive]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = nobody\n", "",
     "cannot be used as it is written"),
    ("[profile hive]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = hive\nmfa_serial = x\n", "",
     "cannot be used as it is written"),
    ("[profile hive]\nsso_start_url = https://sso.example.com\nsso_region = us-east-1\nsso_account_id = 123456789012\n"
     "sso_role_name = x\n", "", "single sign-on session behind access dev has expired"),
    ("[profile hive]\nrole_arn = arn:aws:iam::123456789012:role/x\nweb_identity_token_file = /nowhere/at/all\n", "",
     "A file that the AWS credentials of access dev come from cannot be read"),
]  # fmt: skip


@pytest.mark.parametrize(("config", "credentials", "words"), PROFILES)
def test_a_profile_that_gives_no_keys(
    scene: Any, config: str, credentials: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each mistake has its sentence, and the keys of the environment do not step in for a profile that was named."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", scene.dev.key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", scene.dev.secret)
    said = told(Refused, lambda: scene.open(profile(scene, config, credentials)).who("dev", REGION))
    assert words in said
    assert "gobbledygook" not in said
    assert scene.aws.asked == []


def test_a_credential_process_that_fails(scene: Any) -> None:
    """It may do better the next time."""
    auth = profile(scene, f"[profile hive]\ncredential_process = {sys.executable} -c 'exit(3)'\n", "")
    assert "does not give any" in told(Transient, lambda: scene.open(auth).who("dev", REGION))


def test_a_mended_profile_is_seen(scene: Any) -> None:
    """After a failure the files are read anew."""
    auth = profile(scene, "", as_profile(scene.dev))
    aws = scene.open(auth)
    aws.who("dev", REGION)
    scene.aws.revoke(scene.dev)
    assert "does not know the key" in told(Refused, lambda: aws.who("dev", REGION))
    other = scene.aws.user("wasp")
    scene.file("credentials", as_profile(other))
    assert aws.who("dev", REGION).arn == other.arn


def test_the_default_chain_looks_at_the_environment(scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the only method that does; without anything there it says so, and sees it when it comes."""
    aws = scene.open({"method": "default_chain"})
    assert "no AWS credentials for access dev" in told(Refused, lambda: aws.who("dev", REGION))
    with monkeypatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", scene.dev.key_id)
        patch.setenv("AWS_SECRET_ACCESS_KEY", scene.dev.secret)
        assert aws.who("dev", REGION).arn == scene.dev.arn


# --- roles ----------------------------------------------------------------------------------------------------------


def test_a_role_with_an_external_id(scene: Any) -> None:
    """By value or by reference; a wrong one is a denial that names principal, role, and where the id stands."""
    role = scene.aws.role("reader", trusts=(scene.dev.arn,), external_id="hive-1")
    assume = {"method": "assume_role", "source": "dev", "role_arn": role}
    by_file = {"file": scene.file("external", "hive-1")}
    aws = scene.open(more={
        "value": assume | {"external_id": "hive-1"}, "file": assume | {"external_id": by_file}, "wrong": assume,
    })  # fmt: skip
    for name in ("value", "file"):
        assert aws.who(name, REGION).arn == f"arn:aws:sts::{scene.aws.account}:assumed-role/reader/hivekeeper"
    said = told(Refused, lambda: aws.token("wrong", REGION))
    assert f"{scene.dev.arn} may not take on {role} (403)" in said
    assert "aws.wrong.auth" in said


def test_a_role_is_taken_on_once_for_its_time(scene: Any) -> None:
    """Its keys are used until five minutes before their end, then there are new ones; for each region its own."""
    role = scene.aws.role("reader", trusts=(scene.dev.arn,))
    aws = scene.open(more={"prod": {"method": "assume_role", "source": "dev", "role_arn": role}})
    for clock in (0, 0, 3200, 3400):
        scene.clock = clock
        aws.who("prod", REGION)
    assert scene.operations().count("AssumeRole") == 2
    scene.clock = 0
    aws.who("prod", "eu-west-1")
    assert scene.operations().count("AssumeRole") == 3


def test_many_at_once_take_a_role_on_once(scene: Any) -> None:
    """Two hundred targets do not ask STS two hundred times."""
    scene.aws.delay = 0.05
    role = scene.aws.role("reader", trusts=(scene.dev.arn,))
    aws = scene.open(more={"prod": {"method": "assume_role", "source": "dev", "role_arn": role}})
    threads = [threading.Thread(target=aws.who, args=("prod", REGION)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert scene.operations().count("AssumeRole") == 1
    assert scene.operations().count("GetCallerIdentity") == 6


def test_a_role_of_a_role(scene: Any) -> None:
    """Roles are taken on one through the other; what fails on the way is told of the access that it belongs to."""
    first = scene.aws.role("first", trusts=(scene.dev.arn,))
    second = scene.aws.role("second", trusts=(f"arn:aws:sts::{scene.aws.account}:assumed-role/first/hivekeeper",))
    more = {
        "one": {"method": "assume_role", "source": "dev", "role_arn": first},
        "two": {"method": "assume_role", "source": "one", "role_arn": second},
    }
    aws = scene.open(more=more)
    assert aws.who("two", REGION).arn.endswith("assumed-role/second/hivekeeper")
    scene.aws.revoke(scene.dev)
    said = told(Refused, lambda: scene.open(more=more).who("two", REGION))
    assert "does not know the key of access dev" in said
    assert "aws.dev.auth" in said


def test_a_role_for_too_long(scene: Any) -> None:
    """The time that the role allows is the cure."""
    role = scene.aws.role("reader", trusts=(scene.dev.arn,))
    assume = {"method": "assume_role", "source": "dev", "role_arn": role, "minutes": 61}
    said = told(Refused, lambda: scene.open(more={"prod": assume}).who("prod", REGION))
    assert f"{role} cannot be taken on for so long (400). Lower aws.prod.auth.minutes" in said


def test_keys_of_a_role_that_aws_does_not_take_any_more(scene: Any) -> None:
    """Somebody ended its session: the role is taken on anew, and nobody notices; if that does not help it is told."""
    role = scene.aws.role("reader", trusts=(scene.dev.arn,))
    aws = scene.open(more={"prod": {"method": "assume_role", "source": "dev", "role_arn": role}})
    aws.who("prod", REGION)
    scene.aws.end_sessions()
    aws.who("prod", REGION)
    assert scene.operations().count("AssumeRole") == 2
    scene.aws.fault, scene.aws.faulty = "expired", frozenset({"GetCallerIdentity"})
    assert "session behind access prod has expired" in told(Refused, lambda: aws.who("prod", REGION))
    assert scene.operations().count("AssumeRole") == 3


def test_a_profile_that_takes_on_a_role(scene: Any) -> None:
    """botocore does that itself, at the address that the profile names; its failure is told as the role's."""
    role = scene.aws.role("reader", trusts=(scene.dev.arn,))
    config = f"[profile hive]\nrole_arn = {role}\nsource_profile = base\nendpoint_url = {scene.url}\n"
    auth = profile(scene, config, as_profile(scene.dev, "base"))
    assert scene.open(auth).who("dev", REGION).arn.split("/")[1] == "reader"
    scene.aws.forbid(scene.dev, "sts:AssumeRole")
    assert f"{scene.dev.arn} may not take on its role (403)" in told(
        Refused, lambda: scene.open(auth).who("dev", REGION)
    )


def web(scene: Any, token: str) -> dict[str, Any]:
    role = scene.aws.role("pod", subjects=("system:serviceaccount:bot:hivekeeper",))
    return {"method": "web_identity", "role_arn": role, "token_file": scene.file("web-token", token)}


def test_a_web_identity(scene: Any, canary: Any) -> None:
    """A service account's token is enough, and its file is read anew for each session."""
    old, new = canary("old token"), canary("new token")
    scene.aws.identity("system:serviceaccount:bot:hivekeeper", old)
    aws = scene.open(web(scene, old))
    assert aws.who("dev", REGION).arn.endswith("assumed-role/pod/hivekeeper")
    assert scene.aws.asked[0][:2] == ("AssumeRoleWithWebIdentity", "")
    scene.aws.identity("system:serviceaccount:bot:hivekeeper", old, seconds=-1)
    scene.aws.identity("system:serviceaccount:bot:hivekeeper", new)
    scene.file("web-token", new)
    scene.clock = 3500
    aws.who("dev", REGION)


@pytest.mark.parametrize(
    ("subject", "seconds", "words"),
    [
        ("system:serviceaccount:bot:hivekeeper", -60, "web identity token of access dev has expired"),
        ("system:serviceaccount:bot:wasp", 60, "may not take on arn:aws:iam::123456789012:role/pod"),
        ("", 60, "does not accept the web identity token"),
    ],
)
def test_a_web_identity_that_is_not_taken(scene: Any, canary: Any, subject: str, seconds: float, words: str) -> None:
    """Expired, not trusted by the role, or of a provider that AWS does not know."""
    token = canary("token")
    scene.aws.identity(subject, token, seconds=seconds)
    assert words in told(Refused, lambda: scene.open(web(scene, token)).who("dev", REGION))


def test_a_web_identity_without_its_file(scene: Any, canary: Any) -> None:
    """The file is named."""
    auth = web(scene, canary("token")) | {"token_file": "/nowhere/token"}
    assert "/nowhere/token is not there" in told(Refused, lambda: scene.open(auth).who("dev", REGION))


def test_a_role_that_ended_before_it_began(scene: Any) -> None:
    """Keys whose end is past by our clock: if AWS's clock differs from ours it is the clock that is told."""
    role = scene.aws.role("reader", trusts=(scene.dev.arn,))
    scene.clock = 90 * 60
    aws = scene.open(more={"prod": {"method": "assume_role", "source": "dev", "role_arn": role}})
    assert "clock is 90 minutes ahead of that of AWS" in told(Refused, lambda: aws.who("prod", REGION))
