"""Who hears of troubles when: counted from the first, one mail each, whatever the mail server or a crash does."""

from __future__ import annotations

from typing import Any

import pytest

from bot.core.errors import Refused, Transient
from bot.core.plan import RunRef
from handlers.managed_mail import TOLD, TellPeople
from handlers.managed_tokens import SIGN_IN
from handlers.push_tokens import HANDLER

NODE = "dune_pro@gpvm1.example.com"
AWAY = Transient("gpvm1.example.com does not answer.", "Is it up?")
NO_MAIL = Transient("The mail server does not answer.", "See smtp.")


def hourly(scene: Any, runs: int, hours: float = 1) -> list[Any]:
    """The reports of so many runs, as many hours apart."""
    reports = []
    for _ in range(runs):
        plan = scene.plan(HANDLER, service=["dune_pro"])
        scene.apply(plan)
        reports.append(scene.report(HANDLER, plan))
        scene.grid.now += hours * 3600
    return reports


def test_a_mail_server_that_is_away_is_no_failure_of_the_push(scene: Any) -> None:
    """The report says that nobody was written to; the next run does it, once."""
    scene.grid.broken |= {NODE: AWAY, "admins@example.com": NO_MAIL, "dune@example.com": NO_MAIL}
    hourly(scene, 1)
    plan = scene.plan(HANDLER)
    assert [str(told) for told in scene.apply(plan).values()] == [str(AWAY)]
    assert sum("The mail server does not answer" in line for line in scene.report(HANDLER, plan).warnings) == 2
    scene.grid.now += 3600
    for address in ("admins@example.com", "dune@example.com"):
        del scene.grid.broken[address]
    last = hourly(scene, 3)[0]
    assert len(scene.grid.mails) == 2
    assert not any("mail" in line for line in last.warnings)


def test_a_mail_of_unknown_outcome_keeps_its_key(scene: Any) -> None:
    """A step that is carried out again, and the next run after a server's failure, ask for the same mail once more:
    who has accepted it is then not asked again. Another trouble, and the same one next year, is another mail."""
    keys: list[str] = []

    def send(to: tuple[str, ...], subject: str, body: str, *, key: str) -> None:
        keys.append(key)
        raise NO_MAIL

    scene.grid.send = send
    scene.grid.broken[NODE] = AWAY
    hourly(scene, 4)
    assert (len(keys), len(set(keys))) == (6, 2)
    scene.grid.broken.clear()
    hourly(scene, 1)
    scene.grid.broken[NODE] = AWAY
    hourly(scene, 2)
    assert len(set(keys)) == 4


def test_with_a_threshold_of_one_the_first_error_is_told(scene: Any) -> None:
    """Of a node that never failed before, too: by mail, and by the inventory."""
    scene.file(scene.document | {"errorCountToSendMessage": 1})
    scene.grid.broken[NODE] = AWAY
    hourly(scene, 1)
    assert {to for to, _, _ in scene.grid.mails} == {("dune@example.com",), ("admins@example.com",)}
    assert HANDLER.inventory is not None
    assert (NODE, "failing") in [(o.name, o.alarm) for o in HANDLER.inventory(HANDLER.settings(), scene.read_tools)]


def test_what_was_sent_is_not_sent_again_by_a_step_that_is_carried_out_again(scene: Any) -> None:
    """The bot dies after the mail and before the end of the step."""
    scene.grid.broken[NODE] = AWAY
    hourly(scene, 2)
    assert len(scene.grid.mails) == 2
    step = TellPeople(services=("dune_pro",))
    step.do(scene.tools, RunRef(id="run-2"))
    assert len(scene.grid.mails) == 2


def test_the_tries_of_one_run_are_one_error(scene: Any) -> None:
    """A step that is tried again, by patience or after a crash, counts once; the next run counts anew."""
    scene.grid.broken[NODE] = AWAY
    plan = scene.plan(HANDLER, service=["dune_pro"])
    push = next(step for _, _, step in plan.steps if getattr(step, "where", "") == NODE and step.kind == "tokens.push")
    scene.apply(plan, until="tokens.store")
    counted = []
    for run in ("one", "one", "one", "two"):
        with pytest.raises(Transient):
            push.do(scene.tools, RunRef(id=run))
        counted.append(scene.tools.records.get("tokens.trouble", f"push:{NODE}").value["errors"])
    assert counted == [1, 1, 1, 2]


def test_a_trouble_that_lasts_is_told_once_a_day(scene: Any) -> None:
    """And counted from the first error on, whatever was told."""
    scene.grid.broken[NODE] = AWAY
    hourly(scene, 9, hours=6)
    ours = [body for to, _, body in scene.grid.mails if to == ("dune@example.com",)]
    assert ["(2 times in a row since" in ours[0], "(6 times in a row since" in ours[1], len(ours)] == [True, True, 2]


def test_a_mail_says_how_long_there_is(scene: Any) -> None:
    """When the first of the tokens concerned ends: that of the node that fails, those of all nodes of a service that
    gets none; and that it has ended."""
    hourly(scene, 1)
    scene.grid.life = 3 * 86400.0
    scene.grid.holds.clear()
    scene.grid.generation = 2
    scene.grid.broken[NODE] = AWAY
    hourly(scene, 2)
    assert "The first of them ends 2030-03-24 17:46 UTC." in scene.grid.mails[-1][2]
    scene.grid.broken = {"dune_pro": Refused(f"dune_pro {SIGN_IN}: Vault can get no access token.")}
    hourly(scene, 1)
    assert "The first of them ends 2030-03-20 18:46 UTC." in scene.grid.mails[-1][2]
    hourly(scene, 5, hours=24)
    assert "The first of them has ended" in scene.grid.mails[-1][2]


def test_forty_nodes_in_one_trouble_are_one_line(scene: Any) -> None:
    """In the mail as in the report; their number and some names stand there."""
    nodes = [f"w{n}.example.com" for n in range(100, 140)]
    document = scene.document | {"experiments": {"dune": {"emails": ["dune@example.com"], "roles": {
        "pro": {"account": "dunepro", "destinationNodes": nodes}}}}}  # fmt: skip
    scene.file(document)
    for node in nodes:
        scene.grid.broken[f"dune_pro@{node}"] = Transient(f"{node} does not answer.", "Is it up?")
    report = hourly(scene, 2)[-1]
    assert [row[0] for row in report.table.rows] == [
        "dune_pro@w100.example.com, dune_pro@w101.example.com, dune_pro@w102.example.com and 37 more"
    ]
    body = scene.grid.mails[0][2]
    assert body.count("does not answer") == 1
    assert "40 places have one trouble" in body


def test_what_is_not_tried_any_more_is_not_told_again(scene: Any) -> None:
    """A node that was taken out of the file, a schedd that the collector lists no more: told while they failed, and then
    never again; the service is well in the inventory."""
    scene.grid.broken |= {NODE: AWAY, "dune_pro@s1.example.com": Transient("It is away.")}
    hourly(scene, 2)
    assert len(scene.grid.mails) == 2
    scene.grid.schedds = lambda service: ("s2.example.com",)
    scene.file(scene.document | {"experiments": {"dune": scene.document["experiments"]["dune"] | {"roles": {
        "pro": {"account": "dunepro", "destinationNodes": ["gpvm2.example.com"]}}}}})  # fmt: skip
    hourly(scene, 5, hours=12)
    assert len(scene.grid.mails) == 2
    assert HANDLER.inventory is not None
    assert {one.state for one in HANDLER.inventory(HANDLER.settings(), scene.read_tools)} <= {"fresh", "due"}


def test_a_sign_in_that_htcondor_asks_for_is_told_to_the_experiment(scene: Any) -> None:
    """Its program may be the one that finds it out: mail at once, alarm, and the button."""
    needy = Refused(
        f"dune_pro {SIGN_IN}: Vault can get no access token.", "Someone signs in: /onboard-tokens dune_pro."
    )
    scene.grid.broken["dune_pro@s1.example.com"] = needy
    (report,) = hourly(scene, 1)
    assert {to for to, _, _ in scene.grid.mails} == {("dune@example.com",), ("admins@example.com",)}
    assert all("/onboard-tokens dune_pro" in body for _, _, body in scene.grid.mails)
    assert [(offer.command, offer.ask) for offer in report.offers] == [("onboard-tokens", {"service": "dune_pro"})]
    assert HANDLER.inventory is not None
    alarms = [(one.name, one.alarm) for one in HANDLER.inventory(HANDLER.settings(), scene.read_tools) if one.alarm]
    assert alarms == [("dune_pro", "sign in")]


def test_a_schedd_that_fails_again_and_again_rings(scene: Any) -> None:
    """At the threshold, by the service's own row; jobs can be submitted nowhere else but there, perhaps."""
    scene.grid.broken["dune_pro@s1.example.com"] = Transient("The schedd is away.")
    assert HANDLER.inventory is not None
    for alarm in ("", "failing"):
        hourly(scene, 1)
        (own,) = [o for o in HANDLER.inventory(HANDLER.settings(), scene.read_tools) if o.name == "dune_pro"]
        assert (own.state, own.alarm) == ("degraded", alarm)
        assert own.told == "HTCondor lacks it on s1.example.com: The schedd is away."


def test_that_it_is_over_is_told_until_somebody_has_got_it(scene: Any) -> None:
    """Once: also when the mail server is away just then."""
    scene.grid.broken[NODE] = AWAY
    hourly(scene, 2)
    scene.grid.broken = {"dune@example.com": NO_MAIL}
    hourly(scene, 2)
    scene.grid.broken.clear()
    hourly(scene, 3)
    ours = [subject for to, subject, _ in scene.grid.mails if to == ("dune@example.com",)]
    assert ours == ["Vault tokens of dune: 1 trouble", "Vault tokens of dune: 1 over"]
    assert scene.tools.records.all(TOLD) == ()
