"""Outside systems down, slow or lying, and alerts that mean harm: what the incident's thread says, and what it does
not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from playground import broken, tcp_proxy
from playground.people import ONCALL_CHANNEL
from playground.prometheus import Raw

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
REGION, OTHER = "us-south", "eu-de"
SLOW = 4.0  # seconds; the bot waits for two


@pytest.fixture(scope="module")
def world(system: Any, monitoring: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The bot between stand-ins; a TCP proxy stands before one region's Prometheus and before the accounts endpoint."""
    with ExitStack() as stack:
        outside = monitoring.Outside(tmp_path_factory.mktemp("outside"), (REGION, OTHER))
        stack.callback(outside.close)
        ways = {}
        for name in (f"prometheus {REGION}", "accounts"):
            ways[name] = stack.enter_context(tcp_proxy.proxied(int(outside.addresses[name].rpartition(":")[2])))
            outside.addresses[name] = f"http://127.0.0.1:{ways[name].port}"
        scene = system.Scene(1, adjust=outside.adjust, hurried=True)
        stack.callback(scene.close)
        scene.outside, scene.ways = outside, ways
        outside.go(REGION, monitoring.JWT_FAILED, monitoring.TOKEN_OK)
        yield scene


@pytest.fixture
def scene(world: Any, watched: Callable[[Any], Any], canary: Any) -> Iterator[Any]:
    scene = watched(world)
    scene.outside.hide(canary)
    yield scene
    heal(scene)


def heal(scene: Any) -> None:
    for way in scene.ways.values():
        way.heal()
    for page in scene.outside.pages.values():
        page.heal()
    scene.outside.prometheus[REGION].heal()
    scene.outside.prometheus[REGION].login = None
    scene.outside.accounts.state, scene.outside.accounts.delay = "up", 0.0


@pytest.fixture
def story(scene: Any, monitoring: Any, system: Any, until: Callable[..., Any]) -> Any:
    """The incident of the region where jwt fails, looked into while all systems answer."""
    found = monitoring.incidents(scene, REGION)
    if not found:
        found = scene.outside.deliver(monitoring.notification(monitoring.alert(REGION)))
    story = monitoring.Story(scene, found[0], until)
    until(lambda: scene.heads(story.id), 60, scene.log)
    until(lambda: recovered(story, system), 60, scene.log)
    return story


def down(scene: Any) -> None:
    scene.ways[f"prometheus {REGION}"].reset = True


def cut(scene: Any) -> None:
    scene.ways[f"prometheus {REGION}"].cut = 60


def slow(scene: Any) -> None:
    scene.outside.prometheus[REGION].delay = SLOW


def locked(scene: Any) -> None:
    scene.outside.prometheus[REGION].login = "keeper:made-up"


def garbage(scene: Any) -> None:
    scene.outside.prometheus[REGION].fault = Raw(200, b"<html><!channel> log in</html>")


def internal(scene: Any) -> None:
    scene.outside.prometheus[REGION].fault = Raw(503, b"<h1>503</h1>")


PROMETHEUS: list[tuple[Callable[[Any], None], str]] = [
    (down, "Prometheus does not answer"), (cut, "Prometheus"), (slow, "Prometheus does not answer"),
    (locked, "does not accept the bot's login"), (garbage, "Prometheus"), (internal, "Prometheus does not answer"),
]  # fmt: skip


@pytest.mark.parametrize(("breaks", "said"), PROMETHEUS, ids=lambda v: getattr(v, "__name__", ""))
def test_prometheus_is_broken(
    breaks: Callable[[Any], None], said: str, scene: Any, story: Any, system: Any, until: Callable[..., Any]
) -> None:
    """It is said that nobody knows, why, and how to look by hand; nothing is called well; the next look that works says
    so in the thread."""
    breaks(scene)
    story.look(system.ASKER)
    text = story.shows("Not known", "Could not be checked; do it by hand", "By hand: Run the", said)
    assert "Logins to Red Hat are well" not in text
    assert "<!channel>" not in json.dumps(scene.space.messages)
    story.tells("Now unknown")
    heal(scene)
    notes = len(story.thread)
    until(lambda: recovered(story, system), 60, scene.log)
    until(lambda: len(story.thread) > notes and "Now watch (jwt failing)" in story.thread[-1]["text"], 30, scene.log)


def recovered(story: Any, system: Any) -> bool:
    if "The jwt login to Red Hat fails in us-south; no CIE" in story.text():
        return True
    story.look(system.ASKER)
    return False


def status(scene: Any) -> None:
    scene.outside.accounts.state = 503


def html(scene: Any) -> None:
    scene.outside.accounts.state = "html"


def timeout(scene: Any) -> None:
    scene.outside.accounts.delay = SLOW


def refused(scene: Any) -> None:
    scene.ways["accounts"].reset = True


ENDPOINT: list[tuple[Callable[[Any], None], str]] = [
    (status, "503"), (html, "something else stands in front"), (timeout, "did not answer"), (refused, "connection"),
]  # fmt: skip


@pytest.mark.parametrize(("breaks", "said"), ENDPOINT, ids=lambda v: getattr(v, "__name__", ""))
def test_the_endpoint_is_down(
    breaks: Callable[[Any], None], said: str, scene: Any, story: Any, system: Any, until: Callable[..., Any]
) -> None:
    """Each way of being down is named, calls for a CIE, and has the status pages quoted; or, when they are down too,
    says where to look by hand."""
    scene.outside.pages["quay.io"].trouble("Registry", "major_outage")
    scene.outside.pages["quay.io"].incident("Pulls <!here> fail", impact="major")
    scene.outside.pages["Red Hat"].fault = 500
    breaks(scene)
    story.look(system.ASKER)
    text = story.shows("accounts endpoint is down", "open a CIE", "Registry", "Pulls")
    assert said in text, text
    assert "By hand: open http://127.0.0.1" in text
    assert "<!here>" not in json.dumps(scene.space.messages)
    assert story.button("Open a CIE")
    heal(scene)
    until(lambda: recovered(story, system), 60, scene.log)


PINGS = ("<!channel>", "<!here>", "<!everyone>", "<!subteam^S0APPSRE>", "<@U0MIRA>")
BAIT = "http://127.0.0.1:{port}/bait"
INJECTION = '"}) or vector(1) or (armada_kubx_deployer_redhat_auth{x="'


def test_alerts_that_mean_harm(scene: Any, monitoring: Any, until: Callable[..., Any]) -> None:
    """Pings, links, PromQL, control characters and huge texts in every place of an alert: nothing pings, nothing is
    fetched, no query but the bot's own is asked, and the message still says what the alert is about."""
    asked = len(scene.outside.prometheus[OTHER].log)
    with broken.broken(broken.cut(broken.answer(200))) as bait:
        link, region = BAIT.format(port=bait.port), f"{OTHER}{INJECTION}{''.join(PINGS)}"
        nasty = f"{' '.join(PINGS)} {link} <{link}|click> *_~`&<> \u202e\u0000\u0007 {INJECTION} " + "A" * 100_000
        labels = {"region": region, "runbook_url": link, "dashboard": link, "x" * 500: nasty, "service": nasty}
        body = monitoring.notification(
            monitoring.alert(region, labels=labels, annotations=dict.fromkeys(("summary", "description", link), nasty),
                             generatorURL=link, imageURL=link, silenceURL=link),
            externalURL=link, commonAnnotations={"summary": nasty}, group=nasty, receiver=nasty,
        )  # fmt: skip
        (incident,) = scene.outside.deliver(body)
        found = monitoring.Story(scene, incident, until)
        found.shows("No Prometheus is configured")
        until(lambda: scene.quiet() or found.row().looked_at, 30, scene.log)
        ours = [m for m in scene.space.messages[ONCALL_CHANNEL] if m.get("user") == "U0HIVEKEEP"]
        for ping in PINGS:
            assert ping not in json.dumps(ours, ensure_ascii=False)
        assert f"<{link}" not in json.dumps(ours)
        assert bait.heard == 0
    queries = {entry.get("query", "") for entry in list(scene.outside.prometheus[OTHER].log)[asked:]}
    assert queries, "an unknown region has every region looked at"
    assert not [query for query in queries if "vector" in query]


def test_each_way_of_calling_is_away_in_turn(scene: Any, story: Any, system: Any, monitoring: Any) -> None:
    """PagerDuty down: the issue is opened all the same, and that nobody was paged is said. Then GitHub down: the page
    goes out. Both up again: the CIE is open already, and nobody is called a second time."""
    outside = scene.outside
    outside.accounts.state = 503
    story.look(system.ASKER)
    story.shows("accounts endpoint is down")
    outside.pager.fault = 500
    assert "PagerDuty" in called(scene, story, system)
    assert (len(outside.pager.events), [issue["title"] for issue in outside.tracker.issues]) == (0, [monitoring.TITLE])
    outside.pager.fault, outside.tracker.state = None, 503
    assert "GitHub" in called(scene, story, system)
    assert (len(outside.pager.events), len(outside.tracker.issues)) == (1, 1)
    outside.tracker.state = "up"
    again = scene.ask(system.ASKER, f"{REGION} incident={story.id}", "/open-cie")  # its button may be gone by now
    assert "open already" in scene.ended(again, "answered", 60)
    assert (len(outside.pager.events), len(outside.tracker.issues)) == (1, 1)


def called(scene: Any, story: Any, system: Any) -> str:
    """Press Open a CIE and approve what is proposed; what is said when it went only partly."""
    run = asked(story, system, system.ASKER)
    system.until(lambda: scene.button(run, "approve"), 60, lambda: scene.about(run))
    scene.approve(run)
    return str(scene.ended(run, "partly", 120))


def asked(story: Any, system: Any, user: str) -> str:
    """Press Open a CIE; the run that this starts."""
    known = len(story.runs())
    story.press(user, "Open a CIE")
    return str(system.until(lambda: story.runs()[known:], 30)[0])
