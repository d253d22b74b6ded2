"""Where a service's tokens come from: whatever stands in the files, nothing is sent in clear or to a strange path."""

from __future__ import annotations

from pathlib import PurePosixPath
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.core.errors import Refused
from bot.core.grid import Service
from bot.managed import VaultTokens
from bot.sources import is_loopback
from bot.tools.vault_tokens_wire import site


def service(**more: str) -> Service:
    given_ = {"name": "dune_pro", "experiment": "dune", "role": "pro", "account": "dunepro", "principal": "dunepro@X.LOCAL",
              "keytab": "/k", "vault_server": "vault.example.com"} | more  # fmt: skip
    return Service(**given_)  # type: ignore[arg-type]  # texts only


ODD = st.one_of(st.text(max_size=20), st.from_regex(r"[a-z./:%@\\ #?-]{0,12}", fullmatch=True))


@given(server=st.one_of(ODD, st.builds("{}://{}".format, st.sampled_from(["http", "https", "ftp", ""]), ODD)))
@example(server="http://localhost.example.com")
@example(server="https://vault.example.com@other.example.com")
@example(server="https://[::1")
@example(server="https://vault.example.com:99999")
@example(server="https://vault.example.com:0")
@example(server="vault.example.com:")
@example(server="https://vault.example.com/v/../../sys")
def test_an_address_is_https_or_this_machine(server: str) -> None:
    """Or it is refused, in words without it."""
    try:
        address = site(VaultTokens(), service(vault_server=server)).address
    except Refused as told:
        assert told.now
        return
    parts = urlsplit(address)
    assert parts.scheme == "https" or is_loopback(parts.hostname or "")
    assert parts.hostname and parts.port and "@" not in parts.netloc  # noqa: PT018 - one claim
    assert not parts.query
    assert not parts.fragment


@given(experiment=ODD, role=ODD, credkey=ODD)
@example(experiment="dune", role="pro", credkey="dunepro/batch.example.com")
@example(experiment="dune", role="pro", credkey="a/../../../sys")
def test_paths_stay_where_they_belong(experiment: str, role: str, credkey: str) -> None:
    """No name of the file reaches another part of Vault."""
    try:
        there = site(VaultTokens(), service(experiment=experiment, role=role, credkey=credkey))
    except Refused:
        return
    for path, parts in ((there.kerberos, 2), (there.oidc, 3), (there.creds, 5 + credkey.count("/"))):
        assert len(PurePosixPath(path).parts) == parts
        assert not {"", ".", ".."} & set(path.split("/"))
    assert there.creds.startswith("secret/oauth/creds/")


@pytest.mark.parametrize(
    ("server", "address"),
    [("vault.example.com", "https://vault.example.com:8200"), ("vault.example.com:443", "https://vault.example.com:443"),
     ("https://vault.example.com/", "https://vault.example.com:8200"), ("http://127.0.0.1:9", "http://127.0.0.1:9"),
     ("https://[::1]", "https://[::1]:8200"), ("", "https://of-the-settings.example.com:8200")],
)  # fmt: skip
def test_a_server_is_written_as_htgettoken_takes_it(server: str, address: str) -> None:
    """https and port 8200 are meant where it does not say otherwise."""
    settings = VaultTokens(address="https://of-the-settings.example.com")
    assert site(settings, service(vault_server=server)).address == address


def test_the_parts_of_the_paths() -> None:
    """Issuer by its pattern; the credkey is the principal's name unless it is said."""
    there = site(VaultTokens(), service())
    assert (there.kerberos, there.oidc) == ("auth/kerberos-dune_pro", "auth/oidc-dune/oidc")
    assert there.creds == "secret/oauth/creds/dune/dunepro:pro"
    fermi = site(VaultTokens(issuer="lab-{experiment}"), service(credkey="robot@example.com"))
    assert fermi.creds == "secret/oauth/creds/lab-dune/robot@example.com:pro"
