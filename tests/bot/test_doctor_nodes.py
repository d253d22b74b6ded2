"""`hivekeeper check` about nodes."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import asyncssh
import pytest
import yaml

from bot import doctor_nodes
from bot.app import Parts
from bot.findings import Finding
from bot.settings import parse


def found(folder: Path, nodes: list[str], **settings: Any) -> dict[str, Finding]:
    """The findings about one service's nodes."""
    roles = {"production": {"account": "dunepro", "destinationNodes": nodes}}
    document = {"kerberosPrincipalPattern": "{{.Account}}@EXAMPLE.COM", "keytabPath": "/nowhere", "vaultServer": "v.example.com",
                "experiments": {"dune": {"emails": ["a@example.com"], "roles": roles}}}  # fmt: skip
    path = folder / "managedTokens.yml"
    path.write_text(yaml.safe_dump(document))
    given = {"vault_tokens": {}, "managed_tokens": {"file": str(path)}, "data_dir": str(folder), "nodes": settings}
    return {each.subject: each for each in doctor_nodes.nodes(Parts(parse(given, "settings of the test")))}


def line(name: str) -> str:
    return f"{name} {asyncssh.generate_private_key('ssh-ed25519').export_public_key().decode()}"


def test_nodes_that_nobody_vouches_for_are_named(tmp_path: Path) -> None:
    """Those without a line in known_hosts, by name; with one, or an authority's, all is well."""
    known = tmp_path / "known_hosts"
    known.write_text(line("n1.example.com"))
    closed = {f"n{number}.example.com": "127.0.0.1:1" for number in (1, 2)}
    given: dict[str, Any] = {"known_hosts": str(known), "addresses": closed}
    told = found(tmp_path, list(closed), **given)["nodes: host keys"]
    assert told.good is False
    assert told.told.startswith("n2.example.com of 2 have no line")
    known.write_text(f"@cert-authority *.example.com {line('x').partition(' ')[2]}")
    assert found(tmp_path, list(closed), **given)["nodes: host keys"].good is True


def test_who_does_not_answer_is_worth_knowing(tmp_path: Path) -> None:
    """A node that is down is told, and is no error of the settings."""
    with socket.create_server(("127.0.0.1", 0)) as up:
        addresses = {"n1.example.com": f"127.0.0.1:{up.getsockname()[1]}", "n2.example.com": "127.0.0.1:1"}
        told = found(tmp_path, list(addresses), addresses=addresses)["nodes"]
        assert (told.good, told.told) == (None, "n2.example.com of 2 do not answer.")
        assert found(tmp_path, ["n1.example.com"], addresses=addresses)["nodes"].good is True


def test_keys_that_will_not_do_are_told(tmp_path: Path, canary: Any) -> None:
    """A missing key, one that is none, and one that others can read; nothing of a key is told."""
    file = tmp_path / "dunepro.key"
    auth = [{"method": "key", "private_key": {"file": str(tmp_path / "{account}.key")}}]
    given: dict[str, Any] = {"auth": auth, "addresses": {"n1.example.com": "127.0.0.1:1"}}
    assert found(tmp_path, ["n1.example.com"], **given)["nodes: key of dunepro"].good is False
    wrong = canary("what is no key")
    file.write_text(wrong)
    file.chmod(0o600)
    told = found(tmp_path, ["n1.example.com"], **given)["nodes: key of dunepro"]
    assert "cannot be read" in told.told
    assert wrong not in told.told + told.now
    file.write_bytes(asyncssh.generate_private_key("ssh-ed25519").export_private_key())
    assert "nodes: key of dunepro" not in found(tmp_path, ["n1.example.com"], **given)
    file.chmod(0o644)
    assert "can be used by others" in found(tmp_path, ["n1.example.com"], **given)["nodes: key of dunepro"].told
    file.unlink()


def test_an_agent_that_is_away_is_told(tmp_path: Path) -> None:
    """By its socket; one that listens is not."""
    auth: dict[str, Any] = {"method": "agent", "socket": str(tmp_path / "agent")}
    given: dict[str, Any] = {"auth": [auth], "addresses": {"n1.example.com": "127.0.0.1:1"}}
    told = found(tmp_path, ["n1.example.com"], **given)["nodes: agent"]
    assert (told.good, told.told) == (False, f"No SSH agent answers at {tmp_path / 'agent'}.")
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(str(tmp_path / "agent"))
        agent.listen()
        assert "nodes: agent" not in found(tmp_path, ["n1.example.com"], **given)


def test_without_ping_nodes_are_not_called_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the settings want the program and it is not there, that is what is told."""
    monkeypatch.setenv("PATH", str(tmp_path))
    told = found(tmp_path, ["n1.example.com"], ping="icmp")
    assert (told["nodes: ping"].good, "nodes" in told) == (False, False)


@pytest.mark.parametrize("given", [{}, {"vault_tokens": {}}])
def test_without_services_there_is_nothing_to_look_at(given: dict[str, Any]) -> None:
    """No tokens, or no file of services: no finding."""
    assert list(doctor_nodes.nodes(Parts(parse(given, "settings of the test")))) == []
