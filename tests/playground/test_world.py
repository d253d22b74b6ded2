"""The demo's world: what it holds, what the bot's parts make of it, and its scenarios without a bot."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bot.core.secret import Secret
from bot.settings import parse
from bot.tools.fingerprints import KeyedFingerprints
from bot.tools.jobs import JobFiles
from handlers.rotate_hive_tokens import Settings
from playground.ci_jobs import BROKEN, NINE, SANDBOX, STAGING, write_jobs
from playground.people import BADGES, CHANNELS, PEOPLE, USERGROUPS
from playground.world import ACCOUNTS, CONFIG, HANDOVER, World, settings_document


def document(world: World) -> Any:
    return yaml.safe_load(base64.b64decode(world.vault.get(CONFIG)["config"]))


def at(tree: Any, place: tuple[str | int, ...]) -> Any:
    for key in place:
        tree = tree[key]
    return tree


@pytest.mark.parametrize("kv", [1, 2])
def test_first_day_is_consistent(kv: int) -> None:
    """At first production, the handover path and the config hold the same tokens, and the cluster takes them."""
    world = World(kv)
    for account in ACCOUNTS:
        token = world.vault.get(account.source)["token"]
        assert world.vault.get(HANDOVER)[account.handover_field] == token
        assert at(document(world), account.place) == token
        assert world.accepted[token] == account.subject


@pytest.mark.parametrize("kv", [1, 2])
def test_recycling_leaves_the_copies_behind(kv: int) -> None:
    """After a recycling the cluster takes only what production has; starting over heals that."""
    world = World(kv)
    world.recycle()
    for account in ACCOUNTS:
        assert world.vault.get(account.source)["token"] in world.accepted
        assert world.vault.get(HANDOVER)[account.handover_field] not in world.accepted
    fields = [field for path in world.facts()["vault"] for field in path["fields"] if "ok" in field]
    assert [field["ok"] for field in fields].count(False) == 4
    world.start_over()
    fields = [field for path in world.facts()["vault"] for field in path["fields"] if "ok" in field]
    assert all(field["ok"] for field in fields)
    assert len(fields) == 6


def test_edit_touches_no_token() -> None:
    """Somebody's edit changes the config's text and nothing that belongs to hive."""
    world = World(1)
    before = document(world)
    world.edit_config()
    after = document(world)
    assert {**after, "feature_1": None} == {**before, "feature_1": None}
    assert after != before


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_shows_the_bots_fingerprints(value: str) -> None:
    """The page's fingerprints are the bot's, so that a person can compare the two."""
    assert PROBE.fingerprint(value) == KeyedFingerprints(Secret(PROBE.key)).of(Secret(value))


PROBE = World(1)


def test_facts_hold_no_value() -> None:
    """What the page is told of Vault holds none of the values that are there."""
    world = World(2)
    world.recycle()
    told = str(world.facts())
    for path in world.vault.paths():
        for name, value in world.vault.get(path).items():
            assert name == "owner" or value not in told
    assert not any(token in told for token in world.accepted)


def test_settings_are_the_bots(tmp_path: Path) -> None:
    """The settings written for the demo pass the bot's own model and the handler's, and hold no secret."""
    world = World(1)
    urls = dict.fromkeys(("slack_url", "vault_url", "cluster_url"), "http://127.0.0.1:1")
    made = settings_document(folder=tmp_path, jobs=tmp_path, **urls)
    settings = parse(made, "the demo")
    Settings.model_validate(settings.commands["rotate-hive-tokens"].settings)
    assert world.key not in str(made)
    assert world.vault_token not in str(made)


def test_nine_jobs_and_no_decoy(tmp_path: Path) -> None:
    """The generated jobs that read sd-uhc/sandbox are exactly the nine of the seed; the malformed file is named."""
    jobs = JobFiles((write_jobs(tmp_path),))
    found = jobs.consuming(SANDBOX)
    assert {job.name for job in found.jobs} == set(NINE)
    assert len(NINE) == 9
    assert any(BROKEN in line for line in jobs.consuming(STAGING).unreadable)


def test_people_fit_together() -> None:
    """Everybody who may approve exists, somebody may not, and nobody but them is in the group."""
    ids = {one["id"] for one in PEOPLE}
    assert set(BADGES) < ids
    assert all(set(group["users"]) <= set(BADGES) for group in USERGROUPS.values())
    assert len({channel["name"] for channel in CHANNELS}) == len(CHANNELS)


@pytest.mark.parametrize("kv", [1, 2])
def test_the_demo_begins_with_something_to_do(kv: int) -> None:
    """A stale world has new tokens in production and the old ones in CI, also after starting over."""
    stale = World(kv, stale=True)
    assert stale.facts()["stale"]
    stale.start_over()
    assert stale.facts()["stale"]
    assert not World(kv).facts()["stale"]
