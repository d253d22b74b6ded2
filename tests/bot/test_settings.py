"""The settings: every mistake is told by place and rule, never by its input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import Refused
from bot.core.people import Group
from bot.mistakes import REFERENCE
from bot.settings import FromFile, Schedule, Settings, load, parse
from tests.conftest import Canary


def test_an_empty_file_is_enough(tmp_path: Path) -> None:
    """Everything has a default."""
    path = tmp_path / "s.yaml"
    path.write_text("")
    assert load(path) == Settings()


def test_a_schedule_is_every_ten_hours() -> None:
    """Where it does not say how often: in time for what lives for twelve."""
    assert Schedule(command="refresh-ecr").every_minutes == 600


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The sentence says which file and how to name another."""
    with pytest.raises(Refused, match=r"no settings file at .*nowhere\.yaml.*--settings"):
        load(tmp_path / "nowhere.yaml")


def test_a_secret_in_the_wrong_place_is_not_repeated(canary: Canary) -> None:
    """A token written where a reference belongs is refused by place only."""
    word = canary("token")
    with pytest.raises(Refused) as told:
        parse({"slack": {"bot_token": word}}, "s.yaml")
    assert "slack.bot_token" in str(told.value)
    assert word not in repr(told.value) + str(told.value.__cause__)


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ({"slak": {}}, "slak"),
        ({"web": {"port": 70000}}, "web.port"),
        ({"vault": {"address": "https://v.example.com", "auth": {"method": "magic"}}}, "vault.auth"),
        ({"commands": {"x": {"approve": ["nobody"]}}}, "commands.x names a group"),
        ({"inventory": {"mention": "nobody"}}, "inventory.mention names a group"),
        ({"groups": {"a": {"users": "U1"}}}, "groups.a.users"),
        ({"groups": {"a": {"users": ["tomas"]}}}, r"groups.a.users.0: must be a Slack user id such as U0"),
        (
            {"groups": {"a": {"slack_groups": ["@sre"]}}},
            r"groups.a.slack_groups.0: must be the id of a Slack user group",
        ),
        ({"people": {"root": "tomas"}}, r"people.root: must be a Slack user id"),
        ({"standing": {"n": {"owner": "@tomas", "command": "x", "until": "2027-01-31"}}}, r"standing.n.owner: must be"),
    ],
)
def test_a_mistake_is_told_by_its_place(document: dict[str, object], place: str) -> None:
    """The error names the key, in dots."""
    with pytest.raises(Refused, match=place):
        parse(document, "s.yaml")


@pytest.mark.parametrize("url", ["postgresql://bee:{}@db.example.com/hive", "postgresql://db/hive?password={}"])
def test_a_password_in_the_store_s_address_is_refused(url: str, canary: Canary) -> None:
    """It belongs behind a reference; the sentence says where, and not what it is."""
    word = canary("password")
    with pytest.raises(Refused, match=r"store\.url: .*store\.password") as told:
        parse({"store": {"url": url.format(word)}}, "s.yaml")
    assert word not in repr(told.value)
    assert parse({"store": {"url": "postgresql://bee@db.example.com:5432/hive"}}, "s.yaml").store.url


@pytest.mark.parametrize("text", ["standing: {x: {until: 2026-02-30}}", "[" * 400, "web: {port: !!int x}"])
def test_a_value_that_yaml_cannot_make_is_told(tmp_path: Path, text: str) -> None:
    """A day that no calendar has, nesting without end, a number that is none: a sentence, no stack."""
    path = tmp_path / "s.yaml"
    path.write_text(text)
    with pytest.raises(Refused, match="not valid YAML"):
        load(path)


def test_invalid_yaml_is_told_by_its_line(tmp_path: Path) -> None:
    """The line is named, its text is not."""
    path = tmp_path / "s.yaml"
    path.write_text("slack:\n  mode: [socket\nweb: secret-thing\n")
    with pytest.raises(Refused, match="line") as told:
        load(path)
    assert "secret-thing" not in str(told.value)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 give a sentence."""
    path = tmp_path / "s.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Refused, match="cannot be read"):
        load(path)


def test_the_environment_overrides_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A container sets its folder and port without another file."""
    monkeypatch.setenv("HIVEKEEPER_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("HIVEKEEPER_WEB_PORT", "9999")
    settings = parse({"web": {"port": 1}}, "s.yaml")
    assert (settings.data_dir, settings.web.port) == (tmp_path, 9999)


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["slack", "web", "vault", "groups", "commands", "x"]), documents, max_size=4))
def test_any_document_is_settings_or_a_sentence(document: dict[str, object]) -> None:
    """Nothing but Refused comes out of a wrong document."""
    try:
        parse(document, "s.yaml")
    except Refused as told:
        assert told.what.endswith(".")


def test_an_override_of_something_wrong_is_still_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment variable that fits into no mapping does not hide the mistake."""
    monkeypatch.setenv("HIVEKEEPER_WEB_PORT", "9999")
    with pytest.raises(Refused, match="web"):
        parse({"web": 5}, "s.yaml")


def test_a_cluster_that_the_bot_runs_in() -> None:
    """Its address, CA and token are those of the pod, unless the settings say otherwise; others need an address."""
    known = parse(
        {"clusters": {"own": {"in_cluster": True}, "b": {"in_cluster": True, "address": "https://b.example.com"}}}, "x"
    )
    own = known.clusters["own"]
    assert own.address == "https://kubernetes.default.svc"
    assert str(own.ca_file) == "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
    assert own.token == FromFile(file=Path("/var/run/secrets/kubernetes.io/serviceaccount/token"))
    assert known.clusters["b"].address == "https://b.example.com"
    with pytest.raises(Refused, match=r"clusters\.c\.address"):
        parse({"clusters": {"c": {"token": {"env": "T"}}}}, "x")


@pytest.mark.parametrize(
    "document",
    [
        {"slack": {"bot_token": {"{}": None}}},  # {the token itself}, in YAML
        {"slack": {"{}": True}},
        {"vault": {"address": "https://v.example.com", "auth": {"method": "{}"}}},
        {"sso": {"r": {"issuer": "https://s.example.com", "accounts": {"a": {"method": "{}"}}}}},
    ],
)
def test_a_secret_that_was_written_as_a_key_is_not_repeated(document: dict[str, object], canary: Canary) -> None:
    """Neither a key that is no setting nor the name of a method that there is not comes back in the sentence."""
    word = canary("token")
    with pytest.raises(Refused) as told:
        parse(json.loads(json.dumps(document).replace("{}", word)), "s.yaml")
    assert word not in repr(told.value) + str(told.value)


@pytest.mark.parametrize("written", ["xoxb-1", {"env": "A", "file": "/b"}, {"xoxb-1": None}, {"env": ["A"]}, 5])
def test_a_secret_by_value_is_one_mistake(written: object) -> None:
    """However a reference is wrong, one sentence says how to name a secret, without words of the model's."""
    with pytest.raises(Refused) as told:
        parse({"slack": {"bot_token": written}}, "s.yaml")
    assert told.value.what == f"The settings in s.yaml are not right: slack.bot_token: {REFERENCE}."


@pytest.mark.parametrize(
    ("text", "line"),
    [("slack: {mode: http}\nweb: {}\nslack: {}\n", 3), ("groups:\n  a: {users: [U1]}\n  a: {users: [U2]}\n", 3)],
)
def test_a_key_that_stands_twice_is_told(tmp_path: Path, text: str, line: int) -> None:
    """The last of two would win, and what the first said would be gone unseen: who may approve, for example."""
    path = tmp_path / "s.yaml"
    path.write_text(text)
    with pytest.raises(Refused, match=f"at line {line} for the second time"):
        load(path)


def test_what_is_merged_in_may_be_said_otherwise(tmp_path: Path) -> None:
    """An anchor that is merged is no second key, also where the mapping overrides it."""
    path = tmp_path / "s.yaml"
    path.write_text("groups:\n  a: &a {users: [U1], self_approval: true}\n  b: {<<: *a, users: [U2]}\n")
    assert load(path).groups["b"] == Group(users=("U2",), self_approval=True)


@pytest.mark.parametrize("host", ["vault.example.com:8200", "10.0.0.7", "127.0.0.1.example.com"])
def test_nothing_that_takes_a_login_is_reached_in_clear(host: str) -> None:
    """Over http nobody gets a token, but on the bot's own machine; where none is sent, http will do."""
    auth, bearer = {"method": "token", "token": {"env": "T"}}, {"method": "bearer", "token": {"env": "T"}}
    for document, place in (
        ({"github": {"repository": "a/b", "token": {"env": "T"}, "address": f"http://{host}"}}, "github.address"),
        ({"cie_webhook": {"address": f"http://{host}", "token": {"env": "T"}}}, "cie_webhook: address"),
        ({"prometheus": {"one": {"address": f"http://{host}", "auth": bearer}}}, "prometheus.one: address"),
        ({"vault": {"address": f"http://{host}", "auth": auth}}, "vault.address"),
        ({"clusters": {"one": {"address": f"http://{host}"}}}, "clusters.one.address"),
        ({"slack": {"api_url": f"http://{host}/api/"}}, "slack.api_url"),
    ):
        with pytest.raises(Refused, match=rf"{place}:? must be https"):
            parse(document, "s.yaml")
    assert parse({"vault": {"address": "http://127.0.0.1:8200", "auth": auth}}, "s.yaml").vault
    assert parse({"prometheus": {"one": {"address": f"http://{host}"}}}, "s.yaml").prometheus
