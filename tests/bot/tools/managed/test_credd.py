"""Tokens come into credds by HTCondor's programs: without a shell, with nothing secret told, and nothing left behind."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from bot.core.errors import Refused, Told, Transient
from bot.core.grid import Service
from bot.core.secret import Secret
from bot.managed import Credd, VaultTokens
from bot.tools import credd as tool
from bot.tools import private_folder
from bot.tools.credd import Credds
from bot.tools.credd_environment import bearer_address
from playground.condor import CondorStandIn

A, B = "a.example.com", "b.example.com"


@pytest.fixture(autouse=True)
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Private folders where the canary looks."""
    folder = tmp_path / "memory"
    folder.mkdir()
    monkeypatch.setattr(private_folder, "IN_MEMORY", folder)
    return folder


@pytest.fixture
def pool(tmp_path: Path, canary: Any) -> CondorStandIn:
    made = CondorStandIn(tmp_path / "pool", token=canary("stored token"))
    canary.may_hold(tmp_path / "pool" / "pool.json")
    canary.watch("what programs were told", lambda: str(made.runs))
    return made


@pytest.fixture
def credds(pool: CondorStandIn, canary: Any) -> Callable[..., Credds]:
    ticket, token = canary("ticket"), canary("token")

    def made(**changed: Any) -> Credds:
        settings = Credd(**{"path": pool.path, "token_folder": pool.tokens, "timeout": 60, **changed})
        vault = VaultTokens(address="https://vault.example.com:8200")
        return Credds(settings, vault, lambda _, cache: cache.write_text(ticket) and None, lambda _: Secret(token))

    return made


def test_a_token_is_stored(credds: Any, pool: CondorStandIn, service: Service, memory: Path) -> None:
    """On each schedd by itself, told as upstream tells it, and neither ticket nor token files stay."""
    for schedd in (A, B):
        credds().store(service, schedd)
    assert pool.stored == {A: ["dune_production"], B: ["dune_production"]}
    run = pool.runs[0]
    assert (run["program"], run["arguments"]) == ("condor_vault_storer", ["dune_production"])
    told = run["environment"]
    assert told["_condor_CREDD_HOST"] == A
    assert told["_condor_COLLECTOR_HOST"] == "collector.example.com"
    assert told["HTGETTOKENOPTS"] == "--vaulttokenminttl=600s --credkey=dunepro/bot"
    assert told["_condor_SEC_CREDENTIAL_GETTOKEN_OPTS"] == "-a vault.example.com"
    assert [*pool.tokens.iterdir()] == []
    assert [*memory.iterdir()] == []


def test_a_further_entry_s_token_is_the_experiment_s(credds: Any, pool: CondorStandIn, service: Service) -> None:
    """HTCondor knows it by that name, whatever the entry is called; nothing of it stays."""
    credds().store(service.model_copy(update={"name": "dune-2_production"}), A)
    assert pool.stored == {A: ["dune_production"]}
    assert [*pool.tokens.iterdir()] == []


def test_the_newer_name_is_preferred(credds: Any, pool: CondorStandIn, service: Service) -> None:
    """And a name in the settings before both."""
    pool.program("condor_credential_storer", "storer")
    pool.program("site_storer", "storer")
    credds().store(service, A)
    credds(storer="site_storer").store(service, A)
    assert [run["program"] for run in pool.runs] == ["condor_credential_storer", "site_storer"]


@pytest.mark.parametrize(
    ("trouble", "kind", "told"),
    [
        ("needs login", Refused, "dune_production needs somebody to sign in"),
        ("polled", Refused, "dune_production needs somebody to sign in"),
        ("denied", Refused, "Vault denies dunepro/bot@EXAMPLE.COM"),
        ("vault away", Transient, "Vault (vault.example.com) did not answer"),
        ("vault sealed", Transient, "Vault (vault.example.com) did not answer"),
        ("untrusted", Refused, "certificate that htgettoken does not trust"),
        ("no host principal", Refused, "Kerberos gave dune_production nothing"),
        ("schedd away", Transient, "a.example.com did not take"),
        ("schedd refuses", Refused, "a.example.com did not let the bot store"),
    ],
)
def test_each_failure_has_its_sentence(
    credds: Any,
    pool: CondorStandIn,
    service: Service,
    clean: Any,
    memory: Path,
    trouble: str,
    kind: type[Told],
    told: str,
) -> None:
    """By the programs' known texts, without any of them; another schedd is none the worse."""
    pool.trouble[A] = trouble
    pool.save()
    with pytest.raises(kind) as problem:
        credds().store(service, A)
    assert told in problem.value.what
    clean(problem.value)
    credds().store(service, B)
    assert pool.stored == {B: ["dune_production"]}
    assert [*memory.iterdir()] == []


def test_a_program_that_hangs(credds: Any, pool: CondorStandIn, service: Service) -> None:
    """It is killed when its time is over."""
    pool.trouble[A] = "hangs"
    pool.save()
    began = time.monotonic()
    with pytest.raises(Transient, match="took longer than"):
        credds(timeout=0.3).store(service, A)
    assert time.monotonic() - began < 60


def test_no_program(credds: Any, service: Service, tmp_path: Path) -> None:
    """What to install is told, for storing and for listing."""
    nowhere = {"path": str(tmp_path)}
    with pytest.raises(Refused, match="stores tokens is not there"):
        credds(**nowhere).store(service, A)
    with pytest.raises(Refused, match="condor_status is not there"):
        credds(**nowhere).schedds(service)
    with pytest.raises(Refused):
        tool.check(Credd(**nowhere))


@pytest.mark.parametrize("name", ["vt_u{}", "vt_u{}-dune_production"])
@pytest.mark.parametrize("plant", ["link", "folder", "pipe"])
def test_what_is_planted_is_neither_read_nor_written(
    credds: Any, pool: CondorStandIn, service: Service, tmp_path: Path, name: str, plant: str
) -> None:
    """The program would take a planted token for its own, or write the service's through a link: it is not even begun,
    the place is named, and what stands there stays."""
    precious, path = tmp_path / "precious", pool.tokens / name.format(os.geteuid())
    precious.write_text("x")
    {"link": lambda: path.symlink_to(precious), "folder": path.mkdir, "pipe": lambda: os.mkfifo(path)}[plant]()
    before = path.lstat()
    with pytest.raises(Refused, match="not the bot's file") as refused:
        credds().store(service, A)
    assert str(path) in refused.value.what
    assert refused.value.now
    assert pool.runs == []
    assert (path.lstat().st_ino, path.lstat().st_mode, precious.read_text()) == (before.st_ino, before.st_mode, "x")


def test_what_an_earlier_run_left_does_no_harm(credds: Any, pool: CondorStandIn, service: Service) -> None:
    """The program finds no token of the service, which it would take instead of a fresh one; afterwards all are gone."""
    for name in ("vt_u{}", "vt_u{}-dune_production"):
        (pool.tokens / name.format(os.geteuid())).write_text("old")
    credds().store(service, A)
    assert pool.stored == {A: ["dune_production"]}
    assert f"vt_u{os.geteuid()}-dune_production" not in pool.runs[0]["found"]
    assert [*pool.tokens.iterdir()] == []


@pytest.mark.parametrize(
    "changed",
    [
        {"credkey": "x --vaulttokeninfile=/etc/passwd"},
        {"vault_server": "v -a w"},
        {"experiment": "-v"},
        {"experiment": "a b"},
    ],
)
def test_no_value_becomes_an_option(
    credds: Any, pool: CondorStandIn, service: Service, changed: dict[str, str]
) -> None:
    """What could be read as more than one word is refused before anything runs."""
    with pytest.raises(Refused):
        credds().store(service.model_copy(update=changed), A)
    with pytest.raises(Refused):
        credds().store(service, "a.example.com -x")
    assert pool.runs == []


def test_the_schedds_of_the_service_itself(credds: Any, pool: CondorStandIn, service: Service) -> None:
    """Those that the file names are taken without asking."""
    assert credds().schedds(service.model_copy(update={"schedds": (B, A)})) == (B, A)
    assert pool.runs == []


def test_the_schedds_of_a_collector(credds: Any, pool: CondorStandIn, service: Service) -> None:
    """The next collector is asked when one is away, the list is kept for a while, and the constraint is one argument."""
    pool.schedds["second.example.com"] = [B, A, A, "not a name; rm -rf", "undefined"]
    pool.save()
    asked = service.model_copy(update={"collector": "first.example.com,second.example.com", "constraint": "x == 1; id"})
    opened = credds()
    assert opened.reader.schedds(asked) == (A, B)
    assert opened.schedds(asked) == (A, B)
    assert not hasattr(opened.reader, "store")
    listed = [run["arguments"] for run in pool.runs if "second.example.com" in run["arguments"]]
    assert listed == [["-pool", "second.example.com", "-schedd", "-constraint", "x == 1; id", "-af", "Name"]]


@pytest.mark.parametrize(
    ("changed", "kind", "told"),
    [
        ({"collector": "away.example.com"}, Transient, "did not list its schedds"),
        ({"constraint": "x =="}, Refused, "cannot read the constraint"),
        ({"collector": "empty.example.com"}, Refused, "lists no schedd that fits"),
        ({"collector": "-x"}, Refused, "signs that none may have"),
        ({"collector": ""}, Refused, "Nothing says on which schedds"),
    ],
)
def test_no_list(
    credds: Any, pool: CondorStandIn, service: Service, clean: Any, changed: Any, kind: type[Told], told: str
) -> None:
    """Why there is none is told, without the program's words."""
    pool.schedds.update({"collector.example.com": [A], "empty.example.com": []})
    pool.save()
    with pytest.raises(kind, match=told) as problem:
        credds().schedds(service.model_copy(update=changed))
    clean(problem.value)


def test_where_the_credmon_goes(service: Service) -> None:
    """The address is Vault's, with its port, the issuer, the credkey and the role."""
    path = "/v1/secret/oauth/creds/dune/dunepro/bot:production"
    for server, base in (
        ("vault.example.com", "https://vault.example.com:8200"),
        ("", "https://other.example.com:8300"),
    ):
        asked = service.model_copy(update={"vault_server": server})
        assert bearer_address(VaultTokens(address="https://other.example.com:8300"), asked) == base + path


def test_the_vault_of_the_settings(credds: Any, pool: CondorStandIn, service: Service) -> None:
    """It is taken where the file names none."""
    credds().store(service.model_copy(update={"vault_server": ""}), A)
    assert pool.runs[0]["environment"]["_condor_SEC_CREDENTIAL_GETTOKEN_OPTS"] == "-a vault.example.com"


@pytest.fixture
def _bindings() -> None:
    if find_spec("htcondor2") is None:
        pytest.skip("htcondor is not installed here: it has packages for Linux on x86-64 only")


@pytest.mark.slow
@pytest.mark.usefixtures("_bindings")
class TestBindings:
    """The real bindings, without a pool."""

    def test_failures(self, credds: Any, service: Service, clean: Any, memory: Path) -> None:
        """A pool that is away fails soon, in our words, and nothing stays behind."""
        bindings = credds(way="bindings")
        away = service.model_copy(update={"collector": "127.0.0.1:1"})
        with pytest.raises(Transient, match="did not list its schedds") as problem:
            bindings.schedds(away)
        clean(problem.value)
        with pytest.raises(Transient, match="did not take") as stored:
            bindings.store(away, A)
        clean(stored.value)
        with pytest.raises(Refused, match="cannot read the constraint"):
            bindings.schedds(service.model_copy(update={"constraint": "x =="}))
        assert [*memory.iterdir()] == []
        assert "htcondor2" not in sys.modules

    def test_the_check(self) -> None:
        """It finds them without loading them."""
        assert "bindings are there" in tool.check(Credd(way="bindings"))
