"""An offline session that is gone, cured from Slack by the real bot; killed wherever it writes, the end is the same."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from playground.offline import CONFIG, PRODUCTION

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

MOMENTS = [(CONFIG, 2, "after"), (PRODUCTION, 1, "after")]


@pytest.fixture
def scene(started: Callable[..., Any], watched: Callable[[Any], Any]) -> Any:
    """The session has ended, production has a new token. Each use of a token gives another one beside it, as Keycloak
    does. No token may be found anywhere afterwards."""
    made = watched(started(1, name="offline"))
    offline = made.demo.offline
    offline.mend()
    offline.realm.sessions.gives = "new"
    offline.recycle(made.vault)
    made.hide()
    yield made
    made.vault.on_write = None
    made.hide()


def tokens(scene: Any) -> tuple[str, str]:
    """In the config, and production's."""
    config = base64.b64decode(scene.vault.get(CONFIG)["config"]).decode()
    ours = config.partition("self:")[2].partition("token: ")[2].split()[0].strip("'\"")
    return ours, scene.vault.get(PRODUCTION)["token"]


def proposed(scene: Any, system: Any, command: str, text: str = "") -> str:
    run = str(scene.ask(text=text, command=command))
    system.until(lambda: scene.button(run, "approve"), 60, lambda: scene.about(run))
    return run


def cured(scene: Any) -> None:
    """Both places have the same token, and it is good."""
    ours, theirs = tokens(scene)
    assert ours == theirs
    assert scene.demo.offline.told(ours)[1]


def test_production_s_token_is_brought_and_kept_alive(scene: Any, system: Any) -> None:
    """The plan waits for somebody; afterwards the jobs are named, with a button that runs them. Then the token is
    fresh; by force it is used once more, and both places have what came of it."""
    run = proposed(scene, system, "/fix-offline-session")
    assert "no longer has the offline session" in scene.text(run)
    scene.approve(run)
    shown = scene.ended(run, "done")
    cured(scene)
    assert "service-uhc-clusters-service-ocm-pr-check" in shown
    assert "Run these jobs again" in shown
    before = tokens(scene)
    assert "Nothing to do" in scene.ended(scene.ask(command="/keep-offline-alive"), "answered")
    run = proposed(scene, system, "/keep-offline-alive", "--force")
    scene.approve(run)
    scene.ended(run, "done")
    cured(scene)
    assert tokens(scene) != before


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_killed_at_a_write(scene: Any, system: Any, kills: Any, moment: Any) -> None:
    """The run goes on by itself and ends as without."""
    path, nth, when = moment
    run = proposed(scene, system, "/fix-offline-session")
    killed = kills.at(scene, path, when, nth)
    scene.approve(run)
    assert killed.wait(60), scene.about(run)
    scene.ended(run, "done", 90)
    cured(scene)


def test_killed_as_a_build_was_queued(scene: Any, system: Any) -> None:
    """Each job that reads the path has one new build, also that whose answer the bot never heard."""
    jenkins = scene.demo.offline.jenkins
    before = {name: len(job.builds) for name, job in jenkins.jobs.items()}
    run = proposed(scene, system, "/run-ci-jobs", f"consuming={CONFIG}")
    start, left = jenkins.start, [3]

    def killing(*given: Any) -> None:
        start(*given)
        left[0] -= 1
        if left[0] == 0:
            scene.kill()

    jenkins.start = killing
    scene.approve(run)
    scene.ended(run, "done", 90)
    jenkins.start = start
    assert left[0] <= 0
    assert {name: len(job.builds) for name, job in jenkins.jobs.items()} == {name: n + 1 for name, n in before.items()}
