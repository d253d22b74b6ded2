"""Managed tokens from the first UID to the last node: with a KDC, OpenSSH servers, FERRY behind certificates, mail and
figures that really go out; with trouble on two nodes, and with nobody signed in."""

from __future__ import annotations

import json
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.kdc import REALM
from tests.system.managed import ADMINS, SCHEDDS, Site, applied, site
from tests.system.managed_parts import HERE, Service, fetched

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PUSHED = "managed_tokens_last_token_push_timestamp"


@pytest.fixture(scope="module")
def grid(kdc: Any, server_binary: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(kdc, server_binary, tmp_path_factory.mktemp("grid")) as made:
        made.oauth.interval = 1
        yield made


@pytest.fixture
def scene(started: Callable[..., Any], watched: Callable[[Any], Any], canary: Any, grid: Site) -> Iterator[Any]:
    """No token, key or password may be found anywhere afterwards."""
    made = watched(started(1, name="grid", adjust=grid.adjust, environment=grid.environment()))
    canary.watch("the bot's figures", lambda: figures(made))
    yield made
    grid.hide(canary)


def figures(scene: Any) -> str:
    return fetched(scene.line_to_bot().replace("/slack/events", "/metrics"))


@pytest.fixture
def pushed(scene: Any, system: Any, grid: Site) -> Any:
    """All works, every place has a token, and the bot has been restarted since: it will get others."""
    grid.oauth.principals = None
    grid.trouble()
    for sshd in grid.nodes.sshd.values():
        sshd.tmp.chmod(0o1777)
    if not grid.tokens(grid.nova, grid.nova.nodes[0]):
        applied(scene, scene.ask(command="/refresh-uids"))
        applied(scene, scene.ask(command="/push-tokens"))
    grid.signed_in(*grid.services)
    scene.kill()
    scene.connected()
    return scene


def held(grid: Site) -> dict[tuple[str, str], list[str]]:
    """What is in the token files, by service and node."""
    return {(one.name, node): grid.tokens(one, node) for one in grid.services for node in one.nodes}


def logins(grid: Site) -> dict[str, int]:
    """How often the bot was let in on each node."""
    let_in = re.compile("Accepted (?:publickey|gssapi-with-mic)")
    return {node: len(let_in.findall(sshd.log)) for node, sshd in grid.nodes.sshd.items()}


def whole(grid: Site, service: Service) -> str:
    """The one token that both files on each node of the service hold, its account's and nobody else's to read."""
    for node in service.nodes:
        states = [(grid.nodes.sshd[node].tmp / name).lstat() for name in service.files]
        assert {(one.st_mode, one.st_uid) for one in states} == {(stat.S_IFREG | 0o400, service.account.pw_uid)}
    (token,) = {token for node in service.nodes for token in grid.tokens(service, node)}
    return token


def home(scene: Any, system: Any) -> str:
    """App Home, opened now."""
    scene.space.homes.pop(system.ASKER, None)
    scene.post(system.ASKER, "home")
    return json.dumps(system.until(lambda: scene.space.homes.get(system.ASKER)), ensure_ascii=False)


def test_from_the_first_uid_to_every_node(scene: Any, system: Any, grid: Site) -> None:
    """FERRY's UIDs, then a token of its own for each service, on every node and for every schedd; figures, status and
    App Home say so, and nobody gets mail."""
    run = applied(scene, scene.ask(command="/refresh-uids"))
    assert "2 of 2 accounts" in scene.text(run)
    run = applied(scene, scene.ask(command="/push-tokens"))
    assert "4 of 4 nodes" in scene.text(run)
    tokens = [whole(grid, service) for service in grid.services]
    assert len({*tokens}) == 2
    assert all(grid.good(token) for token in tokens)
    for service in grid.services:
        role = grid.nodes.files(service.nodes[0])[f"default_role_{service.experiment}_{service.account.pw_uid}"]
        assert role == "production\n"
    assert grid.stored() == {(schedd, one.name) for schedd in SCHEDDS for one in grid.services}
    for page in (figures(scene), fetched(f"{grid.gateway}/metrics")):
        lines = [line for line in page.splitlines() if line.startswith(f"{PUSHED}{{")]
        told = {(m[1], m[2]) for line in lines if (m := re.search(r'node="(.+?)".*service="(.+?)"', line))}
        assert told == {(node, one.name) for one in grid.services for node in one.nodes}
    status = scene.ended(scene.ask(command="/tokens", text="status"), "answered")
    assert "Tokens of 2 services: all 6 places are fresh" in status
    system.until(lambda: "`/push-tokens` · ✅ 6 fresh" in home(scene, system), told=lambda: home(scene, system))
    assert grid.post.came == []
    scene.sound()


def test_just_what_failed_is_tried_again(pushed: Any, system: Any, grid: Site) -> None:
    """One node is down, and on another there is a link in the token's place: the others get the new token, these keep
    what they had, the report says why. Once both are mended the button does these two and nothing else, and each who
    was written to hears once that it is over."""
    scene, (_, linked, down) = pushed, grid.dune.nodes
    before, mails = held(grid), len(grid.post.came)
    plant = grid.nodes.sshd[linked].tmp / grid.dune.files[1]
    plant.unlink()
    plant.symlink_to("/etc/hostname")
    grid.nodes.sshd[down].stop()
    run = applied(scene, scene.ask(command="/push-tokens"), "partly")
    report, now = scene.text(run), held(grid)
    assert "2 of 4 nodes" in report
    assert f"there is a link at {HERE}/{plant.name}" in report
    assert f"{down} is there, but nothing listens on its SSH port" in report
    assert plant.is_symlink()
    assert now[grid.dune.name, linked] == before[grid.dune.name, linked][:1]
    assert now[grid.dune.name, down] == before[grid.dune.name, down]
    changed = {where for where in now if now[where] != before[where]} - {(grid.dune.name, linked)}
    assert changed == {(grid.dune.name, grid.dune.nodes[0]), (grid.nova.name, grid.nova.nodes[0])}
    assert {to for mail in grid.post.came[mails:] for to in mail[0]} == {grid.dune.mail, ADMINS}
    assert all(node in grid.post.to(grid.dune.mail)[-1] for node in (linked, down))
    plant.unlink()
    grid.nodes.sshd[down].start()
    mails, runs, let_in = len(grid.post.came), len(grid.pool.runs), logins(grid)
    scene.press(system.ASKER, scene.button(run, "again"))
    again = system.until(lambda: scene.rows("SELECT id FROM run WHERE retry_of = :run", run=run))[0][0]
    assert "2 of 2 nodes" in scene.text(applied(scene, again))
    assert {node: count - let_in[node] for node, count in logins(grid).items() if count > let_in[node]} == {
        linked: 1, down: 1
    }  # fmt: skip
    assert len(grid.pool.runs) == runs
    assert grid.good(whole(grid, grid.dune))
    assert {to for mail in grid.post.came[mails:] for to in mail[0]} == {grid.dune.mail, ADMINS}
    assert len(grid.post.came) == mails + 2
    assert f"{down}: over" in grid.post.to(ADMINS)[-1]
    quiet = scene.ask(command="/push-tokens")
    assert "Nothing to do" in scene.ended(quiet, "answered")
    assert len(grid.post.came) == mails + 2
    scene.sound()


def test_every_stage_has_trouble_at_once(pushed: Any, system: Any, grid: Site) -> None:
    """Vault lets one service in no more, one schedd refuses, and one directory cannot be written to: each is told with
    its reason, no old token is touched, and what was asked for again is just what was left, to the last schedd."""
    scene, before, directory = pushed, held(grid), grid.nodes.sshd[grid.nova.nodes[0]].tmp
    grid.oauth.principals = {f"{grid.nova.user}@{REALM}"}
    grid.trouble(s1="schedd refuses")
    directory.chmod(0o555)
    stored = stores(grid)
    run = applied(scene, scene.ask(command="/push-tokens"), "partly")
    report = scene.text(run)
    for reason in (
        f"Vault refused the Kerberos login of {grid.dune.name}",
        f"The schedd {SCHEDDS[0]} did not let the bot store {grid.nova.name}'s token",
        f"{grid.nova.user} may not write in {HERE} on {grid.nova.nodes[0]}",
        "1 of 2 services",
        "1 of 4 schedds",
        "0 of 4 nodes",
    ):
        assert reason in report
    assert held(grid) == before
    assert stores(grid) - stored == Counter({(SCHEDDS[1], grid.nova.name): 1})
    grid.oauth.principals = None
    grid.trouble()
    directory.chmod(0o1777)
    stored = stores(grid)
    scene.press(system.ASKER, scene.button(run, "again"))
    again = system.until(lambda: scene.rows("SELECT id FROM run WHERE retry_of = :run", run=run))[0][0]
    applied(scene, again)
    assert all(grid.good(whole(grid, service)) for service in grid.services)
    missing = [(schedd, grid.dune.name) for schedd in SCHEDDS] + [(SCHEDDS[0], grid.nova.name)]
    assert stores(grid) - stored == Counter(missing)
    scene.sound()


def stores(grid: Site) -> Counter[tuple[str, str]]:
    """How often each schedd was given each service's token."""
    return Counter((schedd, name) for schedd, names in grid.pool.stored.items() for name in names)


def test_somebody_signs_in(pushed: Any, system: Any, grid: Site) -> None:
    """Vault gets no token for a service any more: its old ones stay, the report offers the sign-in, whose link and code
    just the person sees who asked. Once it is approved, the service's push is proposed, and brings good tokens."""
    scene, before, let_in, told = pushed, held(grid), logins(grid), len(scene_told(pushed, system))
    grid.signed_in(grid.nova)
    run = applied(scene, scene.ask(command="/push-tokens"), "partly")
    assert "dune_production needs somebody to sign in" in scene.text(run)
    now, after = held(grid), logins(grid)
    assert {where[0] for where in now if now[where] != before[where]} == {grid.nova.name}
    assert {node for node in after if after[node] != let_in[node]} == {*grid.nova.nodes}
    assert "needs somebody to sign in" in grid.post.to(grid.dune.mail)[-1]
    scene.press(system.ASKER, scene.button(run, "report-offer"))
    asked = "SELECT id FROM run WHERE command = 'onboard-tokens' ORDER BY asked_at DESC"
    onboarding = system.until(lambda: scene.rows(asked), told=scene.log)[0][0]
    system.until(lambda: scene.button(onboarding, "sign-in-0"), told=lambda: scene.about(onboarding))
    scene.press(system.ASKER, scene.button(onboarding, "sign-in-0"))
    seen = system.until(
        lambda: [one for one in scene_told(scene, system)[told:] if "Code: `" in one], 60, scene.log
    )  # fmt: skip
    code = re.search(r"Code: `([A-Z0-9-]+)`", seen[0])
    assert code
    assert f"user_code={code[1]}" in seen[0]
    others = {place: said for place, said in scene.space.ephemerals.items() if place[0] != system.ASKER}
    assert code[1] not in f"{scene.space.messages}{others}{scene.space.homes}"
    grid.oauth.approve(code[1], grid.dune.user)
    after_sign_in = (
        "SELECT id FROM run WHERE command = 'push-tokens' AND asked_at > (SELECT asked_at FROM run WHERE id = :run)"
    )
    first = system.until(lambda: scene.rows(after_sign_in, run=onboarding), told=scene.log)[0][0]
    applied(scene, first)
    assert grid.good(whole(grid, grid.dune))
    assert "dune_production: over" in grid.post.to(grid.dune.mail)[-1]
    scene.sound()


def scene_told(scene: Any, system: Any) -> list[str]:
    """What only the person sees who asks."""
    return list(scene.told(system.ASKER))
