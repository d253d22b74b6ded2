"""A bot that is killed between getting a token and having brought it: in Vault's answer, and in HTCondor's programs."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.system.managed import SCHEDDS, Site, applied, site
from tests.system.managed_kills import abandoned, asked, complete, mend, private, programs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

ASKED = ["auth/kerberos-dune_production/login", "auth/token/create"]


@pytest.fixture(scope="module")
def grid(kdc: Any, server_binary: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(kdc, server_binary, tmp_path_factory.mktemp("grid"), played=True, fresh=0.001) as made:
        made.oauth.interval = 1
        yield made


@pytest.fixture
def scene(started: Callable[..., Any], watched: Callable[[Any], Any], canary: Any, grid: Site) -> Iterator[Any]:
    made = watched(started(1, name="between", adjust=grid.adjust, environment=grid.environment()))
    if not made.rows("SELECT 1 FROM run WHERE command = 'refresh-uids'"):
        applied(made, made.ask(command="/refresh-uids"))
    grid.signed_in(*grid.services)
    yield made
    mend(grid)
    grid.hide(canary)


def invited(scene: Any, system: Any, run: str) -> str:
    """Press the button to sign in; the code that only this person sees."""
    before = len(scene.told(system.ASKER))
    system.until(lambda: scene.button(run, "sign-in-0"), told=lambda: scene.about(run))
    scene.press(system.ASKER, scene.button(run, "sign-in-0"))
    said = system.until(
        lambda: re.findall("Code: `([A-Z0-9-]+)`", str(scene.told(system.ASKER)[before:])), 60, scene.log
    )
    return str(said[0])


def begun(grid: Site) -> int:
    """How often the program was started for the first schedd."""
    return sum(run["environment"].get("_condor_CREDD_HOST") == SCHEDDS[0] for run in grid.pool.runs)


def stored(grid: Site) -> int:
    """How often that got a token."""
    return len(grid.pool.stored.get(SCHEDDS[0], ()))


def test_killed_whenever_vault_gave_a_token(scene: Any, grid: Site) -> None:
    """That of the login, and the one for jobs: they are lost with the bot, the next one gets others and brings these."""
    scene.kill()  # it has none, and must ask
    scene.connected()
    run = asked(scene)
    left, killed = [*ASKED], threading.Event()

    def seen(entry: Any) -> None:
        if left and entry.path == left[0] and entry.status < 300:
            left.pop(0)
            scene.demo.bot.kill()
            if not left:
                killed.set()

    grid.seen = seen
    scene.approve(run)
    assert killed.wait(120), scene.about(run)
    complete(scene, grid, run)


@pytest.mark.parametrize("trouble", ["hangs", "lingers"])
def test_killed_while_a_schedd_is_given_a_token(scene: Any, system: Any, grid: Site, trouble: str) -> None:
    """Before the program has stored it or after: the program ends with the bot, the ticket and the token that it had in
    files are gone, and each schedd gets the token."""
    run = asked(scene)
    count = begun if trouble == "hangs" else stored
    before = count(grid)
    grid.trouble(s1=trouble)
    scene.approve(run)
    system.until(lambda: count(grid) > before, 60, lambda: scene.about(run))
    folders, left = private(), {*grid.pool.tokens.iterdir()}
    grid.trouble()
    scene.kill()
    complete(scene, grid, run)
    assert left or trouble == "hangs"
    assert programs(grid) == []
    assert not abandoned(folders)


@pytest.mark.parametrize("path", ["auth/oidc-dune/oidc/poll", "secret/oauth/creds/dune/"])
def test_killed_as_somebody_has_signed_in(scene: Any, system: Any, grid: Site, path: str) -> None:
    """Vault tells once what came of a sign-in, and it was lost with the bot: the person is told, and signs in once more,
    unless Vault has it already."""
    grid.signed_in(grid.nova)
    asked = scene.ask(text="dune_production", command="/onboard-tokens")
    code, killed = invited(scene, system, asked), threading.Event()

    def seen(entry: Any) -> None:
        if entry.path.startswith(path) and entry.status < 300 and not killed.is_set():
            killed.set()
            scene.demo.bot.kill()

    grid.seen = seen
    grid.oauth.approve(code, grid.dune.user)
    assert killed.wait(60), scene.log()
    scene.connected()
    with scene.db.begin() as conn:  # it would be asked about again in a minute
        conn.exec_driver_sql("UPDATE sign_in SET next_poll_at = 1 WHERE state = 'waiting'")
    told = "SELECT told FROM sign_in WHERE run = :run AND state = 'denied'"
    assert "stopped just as you had signed in" in system.until(lambda: scene.rows(told, run=asked), 60, scene.log)[0][0]
    stored = len(grid.oauth.refresh) == 2
    assert stored == path.startswith("secret/")
    if not stored:
        grid.oauth.approve(invited(scene, system, asked), grid.dune.user)
    system.until(lambda: not scene.rows("SELECT 1 FROM sign_in WHERE state = 'waiting'"), 60, scene.log)
    assert len(grid.oauth.refresh) == 2
