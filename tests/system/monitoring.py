"""What watches over logins to Red Hat and what is called when they fail, around a Scene (loaded by `monitoring`)."""

from __future__ import annotations

import http.client
import json
import secrets
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from playground.accounts import AccountsStandIn
from playground.broken import unused_port
from playground.github import GitHubStandIn
from playground.pagerduty import PagerDutyStandIn
from playground.people import ONCALL_CHANNEL
from playground.prometheus import PrometheusStandIn
from playground.server import run_in_thread
from playground.status_page import StatusPageStandIn

ALERT = "armada-deploy/armada_kubx_deployer_redhat_auth"
TITLE = "The creation and deletion of OpenShift clusters is currently impacted"
REPOSITORY = "beekeepers/cie"
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
JWT_OK, JWT_FAILED, TOKEN_OK, TOKEN_FAILED = (
    {"method": method, "status": status} for method in ("jwt", "token") for status in ("success", "failed")
)


class Outside:
    """The systems around the bot, stand-ins on loopback; `regions` get a Prometheus each. `on_call(name)` is called
    when "pager" or "tracker" has done what it was asked and has not answered yet."""

    def __init__(self, folder: Path, regions: tuple[str, ...] = ()) -> None:
        self.folder, self.port = folder, unused_port()
        self.keys = {name: secrets.token_hex(16) for name in ("hook", "routing", "api", "tracker")}
        self.prometheus = {region: PrometheusStandIn() for region in regions}
        self.accounts = AccountsStandIn()
        self.pages = {name: StatusPageStandIn(name) for name in ("quay.io", "Red Hat")}
        self.pager = PagerDutyStandIn(self.keys["routing"], self.keys["api"])
        self.tracker = GitHubStandIn(REPOSITORY, self.keys["tracker"])
        self.on_call: Callable[[str], object] = lambda _: None
        self._stack = ExitStack()
        self.addresses: dict[str, str] = {}
        apps = {**{f"prometheus {r}": p.app() for r, p in self.prometheus.items()}, "accounts": self.accounts.app(),
                **{name: page.app() for name, page in self.pages.items()},
                "pager": self._called("pager", self.pager.app()),
                "tracker": self._called("tracker", self.tracker.app())}  # fmt: skip
        for name, app in apps.items():
            server = run_in_thread(app)
            self._stack.callback(server.stop)
            self.addresses[name] = server.url

    def close(self) -> None:
        self._stack.close()

    def _called(self, name: str, app: Any) -> Callable[..., Awaitable[None]]:
        async def called(scope: Any, receive: Any, send: Any) -> None:
            answer: list[Any] = []

            async def keep(message: Any) -> None:
                answer.append(message)

            await app(scope, receive, keep if scope["type"] == "http" else send)
            if scope.get("method") == "POST":
                self.on_call(name)
            for message in answer:
                await send(message)

        return called

    def key(self, name: str) -> dict[str, str]:
        """A secret by reference."""
        path = self.folder / f"key-{name}"
        path.write_text(self.keys[name])
        return {"file": str(path)}

    def adjust(self, settings: dict[str, Any]) -> None:
        """Into the bot's settings. Seconds of patience are few, so that slow is slow soon."""
        handler = {"policy": "Kubx deployers", "slack_channel": "#kubx-deploy"}
        settings["web"]["port"] = self.port
        settings["prometheus"] = {
            region: {"address": self.addresses[f"prometheus {region}"], "timeout": 2} for region in self.prometheus
        }
        settings["endpoints"] = {"accounts": {"address": self.addresses["accounts"] + self.accounts.PATH, "timeout": 2}}
        settings["status_pages"] = {name: {"address": self.addresses[name], "timeout": 2} for name in self.pages}
        settings["pagerduty"] = {
            "routing_key": self.key("routing"), "address": self.addresses["pager"],
            "api_token": self.key("api"), "api_address": self.addresses["pager"],
        }  # fmt: skip
        settings["github"] = {
            "repository": REPOSITORY, "token": self.key("tracker"), "address": self.addresses["tracker"],
        }  # fmt: skip
        settings["webhooks"] = {"alertmanager": [self.key("hook")]}
        settings["alerts"] = {
            "channels": [ONCALL_CHANNEL],
            "handlers": {"redhat-auth": {"channel": ONCALL_CHANNEL, "settings": handler}},
        }
        for name in ("open-cie", "contact-redhat", "escalate-redhat-auth"):
            settings["commands"][name] = {"approve": ["app-sre", "platform-owners"], "settings": handler}

    def hide(self, canary: Any) -> None:
        """None of the keys may be found anywhere."""
        for name, key in self.keys.items():
            canary.add(name, key)

    # --- what the stand-ins for Prometheus see ---------------------------------------------------------------

    def go(self, region: str, *kinds: dict[str, str], since: float = 1200, until: float = 0) -> None:
        """Logins of these kinds, one in 15 s, from so many seconds ago."""
        for kind in kinds:
            self.prometheus[region].scrape(kind, count=int((since - until) / 15), since=since, until=until)

    # --- what Alertmanager does ------------------------------------------------------------------------------

    @property
    def hook(self) -> str:
        return f"http://127.0.0.1:{self.port}/webhooks/alertmanager"

    def post(self, body: Any) -> tuple[int, Any]:
        """One call of the webhook. The status is 0 when nobody answers."""
        headers = {"content-type": "application/json", "authorization": f"Bearer {self.keys['hook']}"}
        try:
            with OPENER.open(urllib.request.Request(self.hook, json.dumps(body).encode(), headers), timeout=30) as said:
                return said.status, json.loads(said.read())
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode(errors="replace")
        except (OSError, http.client.HTTPException):  # also one that dies in the middle of its answer
            return 0, None

    def deliver(self, body: Any, seconds: float = 90) -> Any:
        """As a sender does: again until it is taken."""
        end, tried = time.monotonic() + seconds, []
        while time.monotonic() < end:
            status, answer = self.post(body)
            if status == 202:
                return answer["incidents"]
            tried.append(status)
            assert status in (0, 500, 503), answer
            time.sleep(0.1)
        raise AssertionError(f"never taken: {tried[-20:]}")

    def flood(self, bodies: list[Any], at_once: int) -> list[Any]:
        """All of them, so many at once."""
        with ThreadPoolExecutor(at_once) as pool:
            return list(pool.map(self.deliver, bodies))


def alert(region: str, *, status: str = "firing", number: int = 0, began: float | None = None,
          ended: float | None = None, labels: dict[str, str] | None = None,
          annotations: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:  # fmt: skip
    """One alert as Alertmanager's webhook spells it."""
    began = time.time() - 60 if began is None else began
    named = {"alertname": ALERT, "alert_situation": ALERT, "service": "armada-kubx-deployer", "severity": "critical"}
    return {
        "status": status,
        "labels": {**named, "region": region, "instance": f"deployer-{number}", **(labels or {})},
        "annotations": {"summary": "Logins to Red Hat fail.", **(annotations or {})},
        "startsAt": spelled(began),
        "endsAt": "0001-01-01T00:00:00Z" if status == "firing" else spelled(ended or time.time()),
        "generatorURL": "https://prometheus.example.com/graph",
        "fingerprint": f"{zlib.crc32(region.encode()):08x}{number:08x}",
        **more,
    }


def notification(*alerts: dict[str, Any], group: str = "g", **more: Any) -> dict[str, Any]:
    status = "firing" if any(each["status"] == "firing" for each in alerts) else "resolved"
    return {"version": "4", "groupKey": group, "status": status, "receiver": "bot", "alerts": list(alerts), **more}


def spelled(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1000):03}Z"


class Story:
    """One incident as people see it in Slack. `scene` and `until` are of scene.py."""

    def __init__(self, scene: Any, incident: str, until: Callable[..., Any]) -> None:
        self.scene, self.id, self._until = scene, incident, until

    def row(self) -> Any:
        return self.scene.rows("SELECT * FROM incident WHERE id = :id", id=self.id)[0]

    @property
    def head(self) -> dict[str, Any]:
        (found,) = self.scene.heads(self.id)
        return dict(found)

    def text(self) -> str:
        """What its message says now; empty before there is one."""
        return str(self.scene.text(self.id))

    def shows(self, *words: str, seconds: float = 60) -> str:
        """Wait until its message says all this; what it says."""
        self._until(lambda: all(word in self.text() for word in words), seconds,
                    lambda: f"wanted {words} in {self.text()}; {self.scene.log()}")  # fmt: skip
        return self.text()

    @property
    def thread(self) -> list[dict[str, Any]]:
        """All replies in the thread that its message is in, its own included, oldest first."""
        root = self.head.get("thread_ts") or self.head["ts"]
        return [m for m in list(self.scene.space.messages[ONCALL_CHANNEL]) if m.get("thread_ts") == root]

    def notes(self) -> str:
        return "\n".join(message["text"] for message in self.thread)

    def tells(self, *words: str, seconds: float = 60) -> None:
        """Wait until the thread's notes say all this."""
        self._until(lambda: all(word in self.notes() for word in words), seconds,
                    lambda: f"wanted {words} in {self.notes()}; {self.scene.log()}")  # fmt: skip

    def pictures(self) -> list[dict[str, Any]]:
        return [file for message in self.thread for file in message.get("files") or ()]

    def button(self, label: str) -> dict[str, Any] | None:
        """How to press the button with this label, None if there is none."""
        for block in self.head["blocks"]:
            for element in [*block.get("elements", []), *filter(None, [block.get("accessory")])]:
                if element.get("type") == "button" and element["text"]["text"] == label:
                    return {"channel": ONCALL_CHANNEL, "message_ts": self.head["ts"], "block_id": block["block_id"],
                            "action_id": element["action_id"]}  # fmt: skip
        return None

    def press(self, user: str, label: str) -> str:
        """Press, and hear what this person alone is told."""
        button = self._until(lambda: self.button(label), 30, lambda: f"no button {label}: {self.text()}")
        before = len(self.scene.told(user))
        self.scene.press(user, button)
        return str(self._until(lambda: self.scene.told(user)[before:], 30, self.scene.log)[0])

    def look(self, user: str) -> None:
        """Press Look again, and once more if the store was busy, and wait until there was a look."""
        before, told = self.row().looked_at or 0, self.press(user, "Look again")
        while "Press it again" in told:
            told = self.press(user, "Look again")
        assert "Looking" in told or "A look is under way" in told, told
        self._until(lambda: (self.row().looked_at or 0) > before, 60, self.scene.log)

    def runs(self) -> list[str]:
        found = self.scene.rows("SELECT id FROM run WHERE incident = :id ORDER BY asked_at", id=self.id)
        return [row[0] for row in found]


def incidents(scene: Any, key: str | None = None) -> list[str]:
    found = scene.rows("SELECT id, key FROM incident ORDER BY opened_at")
    return [row.id for row in found if key is None or row.key == key]
