"""A managedTokens file is read as upstream reads it, and what cannot be is told by its place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.grid import Service
from bot.core.managed_tokens import ELSEWHERE, GLOBAL, ROLE, understood
from bot.core.managed_tokens_values import filled, role_file, seconds

FILE: dict[str, Any] = {
    "keytabPath": "/opt/keytabs",
    "condorCollectorHost": "one.example.com,two.example.com",
    "condorScheddConstraint": 'IsJobsub && Name != "x"',
    "vaultServer": "vault.example.com",
    "kerberosPrincipalPattern": "{{.Account}}/managedtokens/bot.example.com@EXAMPLE.COM",
    "minTokenLifetime": "3d",
    "errorCountToSendMessage": 5,
    "notifications": {"SLACK_ALERTS_URL": "https://hooks.example.com/x", "admin_email": "admins@example.com"},
    "experiments": {
        "dune": {
            "emails": ["dune@example.com"],
            "roles": {"production": {"account": "dunepro", "destinationNodes": ["n1.example.com", "n2"]}},
        },
    },
}


def changed(role: dict[str, Any] | None = None, **top: Any) -> dict[str, Any]:
    experiment = FILE["experiments"]["dune"]
    roles = {"production": {**experiment["roles"]["production"], **(role or {})}}
    return {**FILE, "experiments": {"dune": {**experiment, "roles": roles}}, **top}


def one(document: object) -> Service:
    (service,) = understood(document).services
    return service


def test_the_plain_file() -> None:
    """Global keys and a role make a whole service, and there is nothing unclear about it."""
    found = understood(FILE)
    assert found.unclear == ()
    assert (found.admin_emails, found.errors_before_mail) == (("admins@example.com",), 5)
    assert found.services == (
        Service(
            name="dune_production", experiment="dune", role="production", account="dunepro",
            principal="dunepro/managedtokens/bot.example.com@EXAMPLE.COM", keytab="/opt/keytabs/dunepro.keytab",
            nodes=("n1.example.com", "n2"), vault_server="vault.example.com",
            credkey="dunepro/managedtokens/bot.example.com", collector="one.example.com,two.example.com",
            constraint='IsJobsub && Name != "x"', min_lifetime=3 * 86400,
            role_file="/tmp/default_role_dune_{{.DesiredUID}}", emails=("dune@example.com",),
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value", "field", "expected"),
    [
        ("keytabPathOverride", "/special/k.keytab", "keytab", "/special/k.keytab"),
        ("userPrincipalOverride", "x/y@Z", "principal", "x/y@Z"),
        ("userPrincipalOverride", "x/y@Z", "credkey", "x/y"),
        ("kerberosPrincipalPatternOverride", "{{ .Account }}@Z", "principal", "dunepro@Z"),
        ("desiredUIDOverride", 12345, "uid", 12345),
        ("desiredUIDOverride", " 54321", "uid", 54321),
        ("condorCreddHostOverride", "c1.example.com", "schedds", ("c1.example.com",)),
        ("condorCreddHostOverride", "s1@c1.example.com, c2", "schedds", ("s1@c1.example.com", "c2")),
        ("condorCollectorHostOverride", ["c3:9618"], "collector", "c3:9618"),
        ("condorScheddConstraintOverride", "true", "constraint", "true"),
        ("vaultServerOverride", "v2", "vault_server", "v2"),
        ("minTokenLifetimeOverride", "1h30m", "min_lifetime", 5400),
        ("defaultRoleFileDestinationTemplateOverride", "/tmp/{{.DesiredUID}}_{{.Account}}", "role_file", "/tmp/{{.DesiredUID}}_dunepro"),
        ("disableNotificationsOverride", True, "notify", False),
        ("disableNotificationsOverride", "true", "notify", False),
    ],
)  # fmt: skip
def test_an_override_wins(key: str, value: Any, field: str, expected: Any) -> None:
    """Each override of a role is taken before the global key, whatever its case."""
    for spelled in (key, key.upper(), key.lower()):
        found = understood(changed({spelled: value}))
        assert found.unclear == ()
        assert getattr(found.services[0], field) == expected


def test_an_override_may_switch_notices_on_again() -> None:
    """A global switch holds for all roles but those that say otherwise."""
    assert not one(changed(disableNotifications=True)).notify
    assert one(changed({"disableNotificationsOverride": False}, disableNotifications=True)).notify


def test_the_override_of_an_experiment() -> None:
    """It names the service, and an entry that differs in nodes alone is joined with the one of that name."""
    twin = {"emails": ["b@example.com"], "experimentOverride": "dune",
            "roles": {"production": {"account": "dunepro", "destinationNodes": ["n3", "n2"]}}}  # fmt: skip
    document = {**FILE, "experiments": {**FILE["experiments"], "dune-2": twin}}
    service = one(document)
    assert (service.name, service.nodes) == ("dune_production", ("n1.example.com", "n2", "n3"))
    assert service.emails == ("dune@example.com", "b@example.com")


def test_entries_of_one_experiment_that_are_not_alike_are_served_apart() -> None:
    """As in upstream's sample: another pool, account or UID. Each has a name of its own here, and HTCondor and jobs know
    both by the experiment's, whichever of them stands first; none is unclear."""
    twin = {"experimentOverride": "dune", "emails": ["b@example.com"], "roles": {"production": {
        "account": "dunepro", "destinationNodes": ["n3"], "desiredUIDOverride": 7, "condorCreddHostOverride": "c7"}}}  # fmt: skip
    for entries in ({**FILE["experiments"], "dune-2": twin}, {"dune-2": twin, **FILE["experiments"]}):
        found = understood({**FILE, "experiments": entries})
        assert found.unclear == ()
        assert [(s.name, s.entry, s.token_name, s.uid, s.schedds, s.emails) for s in found.services] == [
            ("dune_production", "dune", "dune_production", None, (), ("dune@example.com",)),
            ("dune-2_production", "dune-2", "dune_production", 7, ("c7",), ("b@example.com",)),
        ]


def test_an_override_may_keep_tokens_out_of_htcondor() -> None:
    """`getToken` of upstream's ways to get one; its others, and none, store it."""
    for way, stores in (("getToken", False), ("storeAndGetToken", True), ("STOREANDGETTOKENINTERACTIVE", True)):
        assert one(changed({"tokenGetterOverride": way})).stores is stores
        assert understood(changed({"tokenGetterOverride": way})).unclear == ()
    assert one(FILE).stores


def test_who_wants_no_notices_at_all_gets_none_as_admin_either() -> None:
    """The global switch is the admins', too, as upstream has it, unless a role says otherwise."""
    assert understood(changed(disableNotifications=True)).admin_emails == ()
    for role in ({}, {"disableNotificationsOverride": True}):
        assert understood(changed(role)).admin_emails == ("admins@example.com",)
    again = changed({"disableNotificationsOverride": False}, disableNotifications=True)
    assert understood(again).admin_emails == ("admins@example.com",)


@pytest.mark.parametrize(
    ("document", "told", "left"),
    [
        (changed(keytabPth="/x"), "keytabPth is not a key that the bot knows; did you mean keytabPath?", 1),
        (changed({"accont": "x"}), "experiments.dune.roles.production.accont is not a key that the bot knows; did you mean account?", 1),
        (changed({"account": None}), "experiments.dune.roles.production.account is missing.", 0),
        (changed({"account": "a b"}), "experiments.dune.roles.production.account is not the name of an account.", 0),
        (changed({"destinationNodes": []}), "experiments.dune.roles.production.destinationNodes names no node", 1),
        (changed({"destinationNodes": ["-oProxyCommand=x", "n1"]}), "destinationNodes: entry 1 is not the name of a host.", 1),
        (changed({"destinationNodes": ["n1", "n1"]}), "destinationNodes names one twice.", 1),
        (changed({"destinationNodes": {"n1": 1}}), "destinationNodes is not a list.", 1),
        (changed(minTokenLifetime="3 days"), "minTokenLifetime is not a time with a unit", 1),
        (changed(minTokenLifetime=30), "minTokenLifetime is not a time with a unit", 1),
        (changed(errorCountToSendMessage=0), "errorCountToSendMessage is not a whole number from 1 to 1000.", 1),
        (changed({"desiredUIDOverride": 0}), "desiredUIDOverride is not a whole number", 1),
        (changed({"desiredUIDOverride": -5}), "desiredUIDOverride is not a whole number", 1),
        (changed({"desiredUIDOverride": True}), "desiredUIDOverride is not text.", 1),
        (changed(kerberosPrincipalPattern="{{.Acount}}@X"), "kerberosPrincipalPattern does not make a Kerberos principal", 0),
        (changed(kerberosPrincipalPattern="{{if .Account}}x{{end}}"), "kerberosPrincipalPattern does not make", 0),
        (changed(keytabPath="keytabs"), "keytabPath is not an absolute path.", 0),
        (changed(keytabPath="/a/../../etc"), "keytabPath is not an absolute path.", 0),
        (changed(keytabPath=None), "keytabPath is missing", 0),
        (changed(defaultRoleFileDestinationTemplate="/tmp/../{{.Account}}"), "defaultRoleFileDestinationTemplate does not make an absolute path", 1),
        (changed(defaultRoleFileDestinationTemplate="/tmp/{{.Keytab}}"), "defaultRoleFileDestinationTemplate does not make", 1),
        (changed(timeouts={"globalTimeout": "60s", "pushTimeut": "1s"}), "timeouts.pushTimeut is not a key that the bot knows; did you mean pushTimeout?", 1),
        (changed(timeouts={"globalTimeout": "60s"}), "timeouts.globalTimeout is shorter than the other timeouts together", 1),
        (changed(sshOptions="-o StrictHostKeyChecking=no"), "sshOptions is not followed", 1),
        (changed({"pingOptionsOverride": "-c 5"}), "pingOptionsOverride is not followed", 1),
        (changed({"tokenGetterOverride": "pushTokens"}), "tokenGetterOverride is not one of getToken and storeAndGetToken", 1),
        (changed(experiments=[]), "experiments is not a mapping", 0),
        (changed(experiments={"dune": {"emails": []}}), "experiments.dune has no roles", 0),
        (changed(KEYTABPATH="/other"), "KEYTABPATH is there twice", 1),
        ("nothing", "The file is not a mapping", 0),
        (None, "There is no service in it", 0),
    ],
)  # fmt: skip
def test_what_is_not_understood(document: Any, told: str, left: int) -> None:
    """It is told with its place, and a service that cannot be served is left out, no other."""
    found = understood(document)
    assert any(told in sentence for sentence in found.unclear), found.unclear
    assert len(found.services) == left


def test_the_usual_options_are_nothing_to_tell() -> None:
    """What upstream's sample gives to rsync is what the bot does anyway."""
    assert understood(changed(fileCopierOptions="--perms --chmod=u=r,go=")).unclear == ()


def test_what_the_bot_has_settings_of_its_own_for_is_known() -> None:
    """All of upstream's sections are, in any case; none of them is unclear, and each that is there is named."""
    sections = {key.upper(): {"x": 1} for key in ELSEWHERE if key not in ("timeouts", "dbLocation")}
    found = understood(changed(**sections, TIMEOUTS={"pushTimeout": "1m"}, dbLocation="/var/lib/x.db"))
    assert found.unclear == ()
    assert found.elsewhere == (*ELSEWHERE, "notifications.SLACK_ALERTS_URL")


def test_values_are_never_told() -> None:
    """A secret in the wrong place, as a key or a value, is in no sentence."""
    secret = "hvs.made-up secret"
    wrong = {key: secret for key in (*GLOBAL, *ROLE) if key != "experiments"} | {secret: 1}
    role = {key: secret for key in ROLE if key != "account"}
    for document in (changed(role, **wrong), wrong, secret):
        assert not any("made-up" in sentence for sentence in understood(document).unclear)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from(GLOBAL), VALUES, max_size=6),
    st.dictionaries(st.sampled_from(ROLE), VALUES, max_size=6),
)
def test_any_file_is_survived(top: dict[str, Any], role: dict[str, Any]) -> None:
    """Whatever YAML makes of a file, it is read; a service that comes out has an account, a keytab and plain names."""
    for document in (changed(role, **top), top):
        for service in understood(document).services:
            assert service.account
            assert service.keytab.startswith("/")
            assert not any(node.startswith("-") or " " in node for node in service.nodes)
            assert service.role_file == "" or ".." not in role_file(service.role_file, 1)


@given(st.lists(st.tuples(st.integers(0, 999), st.sampled_from("smhd")), min_size=1, max_size=4))
def test_durations_add_up(parts: list[tuple[int, str]]) -> None:
    """A duration is the sum of its amounts; without a unit it is none."""
    sizes = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    assert seconds("".join(f"{n}{unit}" for n, unit in parts)) == sum(n * sizes[unit] for n, unit in parts)
    assert seconds(str(parts[0][0])) is None


@given(st.text("{}. -AccountX", max_size=30))
def test_a_template_is_filled_or_refused(template: str) -> None:
    """What is filled in holds no braces of a template any more."""
    found = filled(template, {"Account": "dunepro"})
    assert found is None or ("{{" not in found and "}}" not in found)


def test_upstreams_spellings_of_a_field() -> None:
    """With spaces and trimming signs it is the same field."""
    for spelled in ("{{.Account}}", "{{ .Account }}", "{{- .Account -}}"):
        assert filled(f"a{spelled}b", {"Account": "x"}) == "axb"
