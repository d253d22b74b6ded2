"""People sign in with their browser: what they are shown, and what the bot is told while they do and after."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import Refused, Told, Transient
from bot.core.secret import Secret
from bot.tools import sso_device
from bot.tools.sign_ins import BrowserSignIns
from playground import broken
from playground.sso_clients import Client

Clean = Callable[[BaseException], None]
WAY = "sso/redhat"


@pytest.fixture
def quick(scene: Any) -> BrowserSignIns:
    """The realm lets itself be asked as often as one likes."""
    scene.realm.devices.interval = 0
    made: BrowserSignIns = scene.sign_ins()
    return made


def test_a_sign_in(scene: Any, quick: BrowserSignIns, canary: Any) -> None:
    """A link and a code for the person; nothing until they approve; then an offline token that is good."""
    invited = quick.start(WAY)
    canary.add("device code", invited.device.reveal())
    assert invited.link == f"{scene.url}{scene.realm.PATH}/device?user_code={invited.code}"
    assert 590 < invited.expires_at - time.time() <= 601
    assert "canary" not in repr(invited)
    assert quick.poll(WAY, invited.device) is None
    assert scene.realm.approve(invited.code, "bee")
    token = quick.poll(WAY, invited.device)
    assert isinstance(token, Secret)
    canary.add("offline token", token.reveal())
    assert scene.realm.mint.read(token.reveal())["typ"] == "Offline"
    assert scene.open().refresh("redhat", token).judged.offline


def test_what_is_sent(scene: Any, quick: BrowserSignIns) -> None:
    """Each question has the grant, the client and the code, and no login."""
    quick.poll(WAY, quick.start(WAY).device)
    assert list(scene.realm.forms[0]) == ["grant_type", "client_id", "device_code"]
    assert scene.realm.forms[0]["grant_type"] == "urn:ietf:params:oauth:grant-type:device_code"
    assert scene.realm.logins == [""]


def test_asked_too_often(scene: Any) -> None:
    """The realm says how often; who asks sooner is told to wait longer than that."""
    tool = scene.sign_ins()
    invited = tool.start(WAY)
    assert invited.every == 5
    assert tool.poll(WAY, invited.device) is None
    with pytest.raises(Transient) as told:
        tool.poll(WAY, invited.device)
    assert told.value.after is not None
    assert told.value.after > invited.every


def test_turned_down(scene: Any, quick: BrowserSignIns, clean: Clean) -> None:
    """It is over, and said to be."""
    invited = quick.start(WAY)
    scene.realm.deny(invited.code)
    with pytest.raises(Refused, match="turned down") as told:
        quick.poll(WAY, invited.device)
    clean(told.value)


def test_it_took_too_long(scene: Any, quick: BrowserSignIns) -> None:
    """The code has ended."""
    scene.realm.devices.lasts = 60
    invited = quick.start(WAY)
    scene.realm.off = 61.0
    assert not scene.realm.approve(invited.code, "bee")
    with pytest.raises(Refused, match="took too long"):
        quick.poll(WAY, invited.device)


def test_a_token_is_given_once(scene: Any, quick: BrowserSignIns) -> None:
    """Who asks again, or with a made-up code, is told to begin anew."""
    invited = quick.start(WAY)
    scene.realm.approve(invited.code, "bee")
    quick.poll(WAY, invited.device)
    for device in (invited.device, Secret("made up")):
        with pytest.raises(Refused, match=r"does not know this sign-in any more\. Begin the sign-in anew"):
            quick.poll(WAY, device)


@pytest.mark.parametrize(
    "client", [Client("cloud-services", device=False), Client("cloud-services", enabled=False)], ids=["barred", "off"]
)
def test_a_client_that_may_not(scene: Any, quick: BrowserSignIns, clean: Clean, client: Client) -> None:
    """The switch in the settings is named, at the beginning of a sign-in and in the middle of it."""
    device = quick.start(WAY).device
    scene.realm.clients.add(client)
    if not client.device:
        scene.realm.refusal = (400, "invalid_grant", "Client not allowed OAuth 2.0 Device Authorization Grant")
    for ask in (lambda: quick.start(WAY), lambda: quick.poll(WAY, device)):
        with pytest.raises(Refused, match=r"sso\.redhat\.device_flow") as told:
            ask()
        clean(told.value)


def test_a_token_that_is_not_offline(scene: Any, quick: BrowserSignIns) -> None:
    """A realm that drops the scope gives a token that ends: it is not taken for what was wanted."""
    begun = scene.realm.devices.begin("cloud-services", offline=False)
    scene.realm.approve(begun.code, "bee")
    with pytest.raises(Refused, match=r"gave no offline token\. .* offline_access"):
        quick.poll(WAY, Secret(begun.device))


@pytest.mark.parametrize("state", [500, 429, "html", "empty", "login"])
def test_trouble_while_they_sign_in(scene: Any, quick: BrowserSignIns, clean: Clean, state: str | int) -> None:
    """It does not end the sign-in."""
    invited = quick.start(WAY)
    scene.realm.state = state
    with pytest.raises(Told) as told:
        quick.poll(WAY, invited.device)
    clean(told.value)
    scene.realm.state = "up"
    scene.realm.approve(invited.code, "bee")
    assert quick.poll(WAY, invited.device) is not None


@pytest.mark.parametrize(
    "changed",
    [
        {"verification_uri": "javascript:alert(1)", "verification_uri_complete": None},
        {"verification_uri": "http://sso.example.com/", "verification_uri_complete": ["x"]},
        {"verification_uri": "https://sso.example.com@other.example.com/", "verification_uri_complete": 7},
        {"user_code": "<!channel>"},
        {"user_code": None},
        {"device_code": None},
        {"device_code": "two words"},
    ],
)
def test_an_invitation_that_nobody_should_see(scene: Any, clean: Clean, changed: dict[str, Any]) -> None:
    """Links that are not safe, codes that are none: refused before anybody clicks."""
    good = {"device_code": "d", "user_code": "ABCD-EFGH", "verification_uri": "https://sso.example.com/device"}
    body = json.dumps(good | changed).encode()
    with broken.broken(broken.cut(broken.answer(200, body, "Content-Type: application/json"))) as server:
        with pytest.raises(Refused) as told:
            scene.sign_ins(address=server.url).start(WAY)
        clean(told.value)


def test_the_defaults_of_the_protocol(scene: Any) -> None:
    """A realm that does not say how often is asked every five seconds; the link without a code will do."""
    good = {"device_code": "d", "user_code": "ABCD-EFGH", "verification_uri": "https://sso.example.com/device"}
    with broken.broken(
        broken.cut(broken.answer(200, json.dumps(good).encode(), "Content-Type: application/json"))
    ) as server:
        invited = scene.sign_ins(address=server.url).start(WAY)
    assert (invited.link, invited.every) == ("https://sso.example.com/device", 5.0)


@given(st.text(max_size=40).map(lambda text: f"https://sso.example.com/{text}") | st.text(max_size=80))
def test_only_safe_links_are_shown(link: str) -> None:
    """Nothing that breaks out of a message, hides, or goes to another host than it seems to."""
    shown = sso_device.link_of({"verification_uri": link})
    if shown is not None:
        assert shown.isascii()
        assert shown.startswith("https://")
        assert not set(shown) & set(" <>|`\n\t")


def test_ways_are_found_by_their_first_part(scene: Any) -> None:
    """Realms where it is switched on; another system beside them; all else is refused with what there is."""

    class Other:
        def names(self) -> tuple[str, ...]:
            return ("a_b",)

        def start(self, name: str) -> Any:
            return name

        def poll(self, name: str, device: Secret) -> Secret:
            return device

    both = BrowserSignIns({"sso": sso_device.DeviceFlow(scene.settings()), "vault": Other()})
    assert both.ways() == ("sso/redhat", "vault/a_b")
    assert both.start("vault/a_b") == "a_b"
    for way in ("", "sso", "sso/other", "vault/redhat", "redhat"):
        with pytest.raises(Refused, match="There are: sso/redhat, vault/a_b"):
            both.start(way)
    assert scene.sign_ins(device_flow=False).ways() == ()
    with pytest.raises(Refused, match="device_flow"):
        scene.sign_ins(device_flow=False).start(WAY)
