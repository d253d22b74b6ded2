"""An outside world for tests: a ledger on disk, steps that write lines into it, and a command whose plan is its ask."""

from __future__ import annotations

import ctypes
import dataclasses
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from bot.core.alert import Alert, Matcher, Notice
from bot.core.diagnosis import AlertHandler, Chart, Diagnosis, Mood, Series, Subject, Watching
from bot.core.errors import Drifted, Refused, Transient
from bot.core.handler import Ask, Handler, HandlerSettings
from bot.core.inventory import Credential
from bot.core.plan import Answer, Note, Plan, Premise, Report, RunRef, Stage, Step
from bot.core.ports import Place, ReadTools, Tools

ERRORS = {"refused": Refused, "transient": Transient, "drifted": Drifted}
EVENTS = {"count": 0, "kill": 0}
GUARD = threading.Lock()


def event() -> None:
    """A place where the process may be killed: the test names the how-manieth."""
    with GUARD:
        EVENTS["count"] += 1
        if EVENTS["count"] == EVENTS["kill"]:
            os.kill(os.getpid(), signal.SIGKILL)


def lines(folder: str) -> list[list[str]]:
    """[name, who wrote it] of every line in the ledger."""
    path = Path(folder) / "ledger"
    return [line.split(" ") for line in path.read_text().splitlines()] if path.exists() else []


def add(folder: str, name: str, who: str) -> None:
    with GUARD, (Path(folder) / "ledger").open("a") as file:
        file.write(f"{name} {who}\n")


def remove(folder: str, name: str, who: str) -> None:
    with GUARD:
        kept = [line for line in lines(folder) if line != [name, who]]
        new = Path(folder) / f"ledger.{name}"
        new.write_text("".join(f"{n} {w}\n" for n, w in kept))
        new.rename(Path(folder) / "ledger")


def mood(folder: str, name: str, verb: str) -> None:
    """Raises what the test has put there for this verb of this step: "refused", "transient 2" (twice), …"""
    path = Path(folder) / f"mood-{verb}-{name}"
    if not path.exists():
        return
    kind, _, times = path.read_text().partition(" ")
    if times:
        path.write_text(f"{kind} {int(times) - 1}") if int(times) > 1 else path.unlink()
    if kind in ERRORS:
        raise ERRORS[kind](f"{name} said {kind}.", "Do something.")
    raise ValueError(f"foreign text of {name}: {kind}")


class Write(Step):
    """Adds its line to the ledger, which happens exactly once only if nobody calls `do` when it is done."""

    kind: Literal["write"] = "write"
    folder: str
    name: str

    def says(self) -> str:
        return f"write {self.name}"

    def done(self, tools: ReadTools) -> bool:
        event()
        mood(self.folder, self.name, "done")
        return any(line[0] == self.name for line in lines(self.folder))

    def do(self, tools: Tools, run: RunRef) -> None:
        event()
        run.tell(f"about to write {self.name}")
        mood(self.folder, self.name, "do")
        if not (Path(self.folder) / f"deaf-{self.name}").exists():
            add(self.folder, self.name, run.id)
        event()
        mood(self.folder, self.name, "after")

    def undo(self, tools: Tools, run: RunRef) -> None:
        event()
        mood(self.folder, self.name, "undo")
        remove(self.folder, self.name, run.id)
        event()

    def retire(self, tools: Tools, run: RunRef) -> None:
        mood(self.folder, self.name, "retire")
        add(self.folder, f"retired-{self.name}", run.id)


class Brand(Write):
    """The same without a way back."""

    kind: Literal["brand"] = "brand"  # type: ignore[assignment]
    undo = Step.undo


class Prove(Write):
    """Changes nothing: its name is in the ledger, or it is not."""

    kind: Literal["prove"] = "prove"  # type: ignore[assignment]
    proves: ClassVar[bool] = True
    undo = Step.undo

    def do(self, tools: Tools, run: RunRef) -> None:
        event()
        mood(self.folder, self.name, "prove")


class Calm(Premise):
    kind: Literal["calm"] = "calm"
    folder: str

    def says(self) -> str:
        return "the world is calm"

    def holds(self, tools: ReadTools) -> bool:
        event()
        mood(self.folder, "calm", "holds")
        return not (Path(self.folder) / "storm").exists()


class WorldAsk(Ask):
    folder: str = Field(description="Where the world is.")
    stages: list[list[str]] = Field(
        default=[["a"]], description="Names; ! makes one irreversible, ? one that only proves."
    )
    on_failure: Literal["undo", "stop", "go_on"] = Field(default="undo", description="What a failure means.")
    subject: str = Field(default="world", description="What is serialised on.")


def plan(ask: WorldAsk, settings: HandlerSettings, tools: ReadTools) -> Plan | Answer:
    mood(ask.folder, "plan", "plan")
    if not ask.stages:
        return Answer(command="world", title="All is well")
    return Plan(
        command="world", title="Change the world", subject=ask.subject, on_failure=ask.on_failure,
        stages=tuple(Stage(steps=tuple(step(ask.folder, name) for name in stage)) for stage in ask.stages),
        premises=(Calm(folder=ask.folder),),
    )  # fmt: skip


def step(folder: str, name: str) -> Step:
    kind = {"!": Brand, "?": Prove}.get(name[-1], Write)
    return kind(folder=folder, name=name.rstrip("!?"))


def report(plan: Plan, settings: HandlerSettings, tools: ReadTools) -> Report:
    event()
    folder = plan.model_dump()["stages"][0]["steps"][0]["folder"]
    mood(folder, "world", "report")
    return Report(notes=(Note(label="ledger", text=f"{len(lines(folder))} lines"),))


HANDLER = Handler(
    "world", "Change the world", WorldAsk, HandlerSettings, plan, (Write, Brand, Prove), (Calm,), report=report
)


def inventory(settings: HandlerSettings, tools: ReadTools) -> tuple[Credential, ...]:
    event()
    return (Credential(name="dev/a", state="due", expires_at=60.0),)


KEEPER = dataclasses.replace(HANDLER, inventory=inventory)
KEEPER_PLANS = {"world": {"command": "world", "ask": {"folder": "."}, "every_minutes": 9999, "catch_up": True}}


def tools(clock: Any = time.time) -> Tools:
    none: Any = None
    return Tools(vault=none, fingerprints=none, tokens=none, documents=none, clusters=none, jobs=none, now=clock)


class Friends:
    """Slack's user groups: S1 has U3 and U4."""

    def of(self, slack_group: str) -> frozenset[str]:
        return frozenset({"U3", "U4"}) if slack_group == "S1" else frozenset()


class Board:
    """Slack as a folder: one file per key, holding what the message shows."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)

    def post(self, place: Place, view: Any, key: str) -> str:
        event()
        assert not self._file(key).exists(), "posted twice"
        self._show(key, view)
        event()
        return key

    def find(self, place: Place, key: str) -> str | None:
        return key if self._file(key).exists() else None

    def update(self, place: Place, ts: str, view: Any) -> None:
        self._show(ts, view)

    def delete(self, place: Place, ts: str) -> None:
        self._file(ts).unlink()

    def upload(self, place: Place, chart: Chart, key: str) -> None:
        self.post(place, chart, key)

    def _show(self, key: str, view: Any) -> None:
        """At once: others look at it meanwhile."""
        new = self._folder.parent / f"new-{self._file(key).name}"
        new.write_text(view.model_dump_json())
        new.rename(self._file(key))

    def _file(self, key: str) -> Path:
        return self._folder / key.replace("/", "_")


def document(folder: Path, store: str | None = None) -> dict[str, Any]:
    """Settings for this world: U2 and the group S1 approve, U2 alone for /solo."""
    return {
        "data_dir": str(folder / "data"),
        "store": {"url": store} if store else {},
        "slack": {"channel": "C1"},
        "groups": {
            "keepers": {"users": ["U2"], "slack_groups": ["S1"]},
            "devs": {"users": ["U9"], "self_approval": True},
        },
        "commands": {"world": {"approve": ["keepers", "devs"]}},
    }


# --- an alert ---------------------------------------------------------------------------------------------


def diagnose(subject: Subject, settings: HandlerSettings, tools: ReadTools) -> Diagnosis:
    event()
    firing = any(alert.status == "firing" for alert in subject.alerts)
    chart = Chart(title="Alarms", unit="", series=(Series(name="a", points=((subject.began, 1.0),)),), alt="one")
    if firing:
        return Diagnosis(verdict="ringing", mood=Mood.BAD, title="It rings", chart=chart)
    return Diagnosis(verdict="silent", mood=Mood.GOOD, title="It is silent", over=True, chart=chart)


ALARM = AlertHandler(
    "alarm", "An alarm", HandlerSettings, ((Matcher(label="alertname", equal="alarm"),),), diagnose,
    watching=Watching(every=0.5, quiet=1.0, longest=600),
)  # fmt: skip


def alarm(status: Literal["firing", "resolved"], name: str = "a") -> Notice:
    ends = 20.0 if status == "resolved" else None
    alert = Alert(identity=name, status=status, labels={"alertname": "alarm"}, starts_at=10.0, ends_at=ends)
    return Notice(key=f"{status}-{name}", origin="alertmanager", alerts=(alert,))


def die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
