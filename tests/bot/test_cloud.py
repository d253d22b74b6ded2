"""The settings of Amazon's accounts and of registries: what would send logins where they do not belong is refused."""

from __future__ import annotations

from typing import Any

import pytest

from bot.core.errors import Refused
from bot.settings import parse

ROLE = "arn:aws:iam::123456789012:role/reader"


def role(source: str, arn: str = ROLE, **more: Any) -> dict[str, Any]:
    return {"auth": {"method": "assume_role", "source": source, "role_arn": arn, **more}}


def test_each_method_is_read() -> None:
    """All five, with no more than they need."""
    keys = {"access_key_id": {"env": "A"}, "secret_access_key": {"env": "B"}}
    accesses = {
        "machine": {}, "laptop": {"auth": {"method": "profile", "profile": "hive"}},
        "dev": {"auth": {"method": "static", **keys}}, "prod": role("dev"), "deeper": role("prod"),
        "pod": {"auth": {"method": "web_identity", "role_arn": ROLE}},
    }  # fmt: skip
    methods = {name: access.auth.method for name, access in parse({"aws": accesses}, "s.yaml").aws.items()}
    assert methods == {"machine": "default_chain", "laptop": "profile", "dev": "static", "prod": "assume_role",
                       "deeper": "assume_role", "pod": "web_identity"}  # fmt: skip


@pytest.mark.parametrize(
    ("aws", "words"),
    [
        ({"a": role("nobody")}, "a names a source that is not there"),
        ({"a": role("a")}, "sources of a go round in circles"),
        ({"a": role("b"), "b": role("c"), "c": role("b")}, "go round in circles"),
        ({"a": role("b", "arn:aws:iam::1234:role/x"), "b": {}}, r"aws\.a\.auth\.assume_role\.role_arn"),
        ({"a": role("b", ROLE + "\nx"), "b": {}}, "role_arn"),
        ({"a": role("b", minutes=10), "b": {}}, "minutes"),
        ({"a": role("b", session_name="x y"), "b": {}}, "session_name"),
        ({"a": role("b", external_id="<!channel>"), "b": {}}, "external_id"),
        ({"a": {"endpoint_url": "http://ecr.example.com"}}, r"aws\.a\.endpoint_url: .*must be https"),
        ({"a": {"sts_endpoint_url": "http://sts.example.com"}}, "must be https"),
        ({"a": {"proxy": "http://user:pass@proxy.example.com"}}, "without a login"),
        ({"a": {"auth": {"method": "static", "access_key_id": "AKIAEXAMPLE"}}}, r"aws\.a\.auth\.static\.access_key_id"),
    ],
)
def test_a_mistake_is_told_by_its_place(aws: dict[str, Any], words: str) -> None:
    """And never with what was written there."""
    with pytest.raises(Refused, match=words) as told:
        parse({"aws": aws}, "s.yaml")
    assert "AKIAEXAMPLE" not in str(told.value)
    assert "pass@" not in str(told.value)


@pytest.mark.parametrize("address", ["http://127.0.0.1:5000", "http://localhost:5000", "https://ecr.example.com"])
def test_logins_go_in_clear_on_this_machine_only(address: str) -> None:
    """http is for loopback."""
    assert parse({"registries": {"x.example.com": {"address": address}}}, "s.yaml").registries["x.example.com"].address


@pytest.mark.parametrize(
    "address", ["http://10.0.0.1:5000", "http://localhost.example.com", "https://ecr.example.com/v2/"]
)
def test_a_registry_is_reached_safely(address: str) -> None:
    """Neither http over the net nor an address with a path."""
    with pytest.raises(Refused, match=r"registries\.x\.example\.com\.address"):
        parse({"registries": {"x.example.com": {"address": address}}}, "s.yaml")
