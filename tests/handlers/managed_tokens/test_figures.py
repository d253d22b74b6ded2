"""Figures by the names that people know from upstream, on /metrics and at the Pushgateway."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.core.errors import Transient
from bot.core.grid import Account, Figure
from bot.edges.metrics import Metrics
from bot.figures import of
from bot.tools.meter import Meter
from handlers.push_tokens import HANDLER as PUSH
from handlers.refresh_uids import HANDLER as REFRESH

NODE = "dune_pro@gpvm1.example.com"


class Gateway:
    def __init__(self) -> None:
        self.groups: dict[str, tuple[Figure, ...]] = {}

    def push(self, figures: tuple[Figure, ...], grouping: dict[str, str]) -> None:
        self.groups[grouping["executable"]] = figures


def figures(scene: Any) -> dict[tuple[str, ...], float]:
    assert PUSH.figures is not None
    return {
        (f.name.removeprefix("managed_tokens_"), *f.labels.values()): f.value for f in PUSH.figures(scene.read_tools)
    }


def test_a_run_can_be_seen_in_figures(scene: Any) -> None:
    """When each token came where, how often in a row it did not, and how many services have a failure."""
    scene.grid.broken[NODE] = Transient("It does not answer.")
    scene.apply(scene.plan(PUSH))
    found = figures(scene)
    assert found["last_token_push_timestamp", "dune_pro", "gpvm2.example.com"] == scene.grid.now
    assert ("last_token_push_timestamp", "dune_pro", "gpvm1.example.com") not in found
    assert found["last_token_get_timestamp", "dune_pro"] == scene.grid.now
    assert found["current_push_error_count", "dune_pro", "gpvm1.example.com"] == 1
    assert found["current_setup_error_count", "dune_pro"] == 0
    assert found["failed_services_push_count",] == 1
    assert found["last_token_store_timestamp", "nova_pro", "s1.example.com"] == scene.grid.now
    assert {key[-1] for key in found if key[0] == "stage_duration_seconds"} == {
        "obtain",
        "store",
        "ping",
        "push",
    }


def test_what_is_over_is_zero_and_what_is_gone_is_gone(scene: Any) -> None:
    """A node that the file has no more has no figures."""
    scene.grid.broken[NODE] = Transient("It does not answer.")
    scene.apply(scene.plan(PUSH))
    scene.grid.broken.clear()
    scene.apply(scene.plan(PUSH))
    assert figures(scene)["current_push_error_count", "dune_pro", "gpvm1.example.com"] == 0
    assert figures(scene)["failed_services_push_count",] == 0
    scene.file({**scene.document, "experiments": {"nova": scene.document["experiments"]["nova"]}})
    assert not any("dune_pro" in key for key in figures(scene))


def test_each_command_has_a_group_of_its_own(scene: Any) -> None:
    """So that no push wipes what the other one has pushed."""
    gateway = Gateway()
    scene.tools = replace(scene.tools, pushgateway=gateway)
    scene.grid.accounts |= {
        name: Account(name=name, uid=uid, active=True) for name, uid in (("dunepro", 501), ("novapro", 502))
    }
    for handler in (PUSH, REFRESH):
        assert scene.apply(scene.ask(handler, {"pushgateway": True})) == {}
    assert set(gateway.groups) == {"push-tokens", "refresh-uids"}
    assert [(f.name, f.labels) for f in gateway.groups["refresh-uids"]] == [
        ("managed_tokens_last_ferry_refresh", {}),
        ("managed_tokens_stage_duration_seconds", {"stage": "ferry"}),
    ]
    assert not any("executable" in f.labels for some in gateway.groups.values() for f in some)


def test_how_long_ferry_took_for_all_accounts_is_a_stage(scene: Any) -> None:
    """Of the command's last run, beside those of the pushes; also when FERRY says what it said before."""

    def slow(name: str) -> Account:
        scene.grid.now += 2
        return Account(name=name, uid=501, active=True)

    scene.grid.account = slow
    for _ in range(2):
        scene.apply(scene.plan(REFRESH, account=["dunepro"]))
        found = {f.name: (f.labels, f.value) for f in REFRESH.figures(scene.read_tools)}  # type: ignore[misc]  # it has
        labels = {"executable": "refresh-uids", "stage": "ferry"}
        assert found["managed_tokens_stage_duration_seconds"] == (labels, 2.0)


def test_a_run_for_others_makes_no_failure_good(scene: Any) -> None:
    """Somebody pushes for one experiment: what failed of another one still counts, until it is tried again there; what
    nobody tries any more does not."""
    scene.grid.broken |= {NODE: Transient("Away."), "dune_pro@s1.example.com": Transient("Away.")}
    scene.apply(scene.plan(PUSH))
    scene.grid.now += 3600
    scene.apply(scene.plan(PUSH, service=["nova"]))
    found = figures(scene)
    assert found["failed_token_push_count", "dune_pro", "gpvm1.example.com"] == 1
    assert (found["failed_stage_count", "store"], found["current_setup_error_count", "dune_pro"]) == (1, 1)
    scene.grid.now += 2 * 86400
    later = figures(scene)
    assert (later["failed_stage_count", "store"], later["current_setup_error_count", "dune_pro"]) == (0, 0)


def test_the_last_tries_tell_what_failed_where(scene: Any) -> None:
    """By stage, by place, by node that did not answer, and what became of its mails; the end of each token that lies on
    a node. After the next run, which goes well, it is none, and the end stays."""
    scene.grid.broken |= {
        NODE: Transient("Away."), "dune_pro@s1.example.com": Transient("Away."), "dune_ana": Transient("Away."),
        "nova_pro@n1.example.com": Transient("Away."), "dune@example.com": Transient("No mail."),
    }  # fmt: skip
    scene.grid.down.add("gpvm1.example.com")
    scene.uid("duneana", 700)
    for _ in range(2):
        scene.apply(scene.plan(PUSH))
    found = figures(scene)
    assert found["failed_token_push_count", "dune_pro", "gpvm1.example.com"] == 1
    assert found["failed_vault_token_store_count", "dune_pro", "s1.example.com"] == 1
    assert found["failed_vault_token_get_count", "dune_ana"] == 1
    assert [found["failed_stage_count", stage] for stage in ("obtain", "store", "push", "uid")] == [1, 1, 2, 0]
    assert found["failed_ping_count", "gpvm1.example.com"] == 1
    assert [found["service_error_email_count", word] for word in ("true", "false")] == [1, 1]
    assert [found["admin_error_email_count", word] for word in ("true", "false")] == [1, 0]
    assert found["token_end_timestamp", "dune_pro", "gpvm2.example.com"] == scene.grid.now + scene.grid.life
    scene.grid.broken.clear()
    scene.grid.down.clear()
    scene.grid.now += 3600
    scene.apply(scene.plan(PUSH))
    after = figures(scene)
    assert not any(value for key, value in after.items() if key[0].startswith("failed_"))
    assert after["token_end_timestamp", "dune_pro", "gpvm1.example.com"] > scene.grid.now


def test_how_long_it_takes_is_a_histogram(scene: Any, memory: Any) -> None:
    """Of each service and kind of work, as Prometheus reads it; of FERRY also how often it failed; and of no service
    that the file has no more."""
    scene.tools = replace(scene.tools, meter=Meter())
    scene.grid.accounts["dunepro"] = Account(name="dunepro", uid=501, active=True)
    scene.grid.broken["novapro"] = Transient("FERRY does not answer.")
    scene.apply(scene.plan(PUSH))
    scene.apply(scene.plan(REFRESH))
    metrics = Metrics()
    metrics.figures(lambda: of({PUSH.name: PUSH, REFRESH.name: REFRESH}, scene.read_tools, memory))
    families = {one.name: one for one in text_string_to_metric_families(metrics.text().decode())}
    pushes = families["managed_tokens_token_push_duration_seconds"]
    assert pushes.type == "histogram"
    ends = {s.labels["service"]: s.value for s in pushes.samples if s.labels.get("le") == "+Inf"}
    assert ends == {"dune_pro": 2, "dune_ana": 1, "nova_pro": 1}
    assert {"managed_tokens_token_store_duration_seconds", "managed_tokens_ping_duration_seconds",
            "managed_tokens_ferry_request_duration_seconds"} <= set(families)  # fmt: skip
    assert families["managed_tokens_ferry_request_error_count"].samples[0].value == 1
    scene.file({**scene.document, "experiments": {"nova": scene.document["experiments"]["nova"]}})
    assert "dune_pro" not in metrics.text().decode()


def test_they_stand_on_the_metrics_page(scene: Any, memory: Any) -> None:
    """By upstream's names, without a prefix of ours; when they cannot be read the page still comes."""
    scene.apply(scene.plan(PUSH))
    metrics = Metrics()
    metrics.figures(lambda: of({PUSH.name: PUSH, REFRESH.name: REFRESH}, scene.read_tools, memory))
    text = metrics.text().decode()
    assert 'managed_tokens_last_token_push_timestamp{node="gpvm1.example.com",service="dune_pro"} 1.9e+09' in text
    assert "managed_tokens_failed_services_push_count 0.0" in text
    scene.path.unlink()
    assert "push_count" not in metrics.text().decode()


@pytest.mark.parametrize("handler", [PUSH, REFRESH])
def test_without_settings_there_are_none(scene: Any, handler: Any) -> None:
    """An organisation without grid experiments sees nothing of all this."""
    from bot.core.ports import ReadTools

    names = ("vault", "fingerprints", "tokens", "documents", "clusters", "jobs", "now")
    bare = ReadTools(**{name: getattr(scene.tools, name) for name in names})
    assert handler.figures(replace(bare, records=scene.reader)) == ()
    assert handler.inventory(handler.settings(), replace(bare, records=scene.reader)) == ()
