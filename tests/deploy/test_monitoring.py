"""The example alerting rules and the dashboard speak of figures that the bot really has."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
RULES, DASHBOARD = ROOT / "deploy/alerts.yaml", ROOT / "deploy/dashboard.json"
SOURCES = ("bot/engine/gauges.py", "bot/edges/metrics.py")
SUFFIX = re.compile(r"_(total|bucket|sum|count)$")


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    return list(json.loads(DASHBOARD.read_text())["panels"])


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in rules())
    yield from (target["expr"] for panel in panels() for target in panel["targets"])


def known() -> set[str]:
    """Names of the bot's figures, as its two modules spell them."""
    spelled = "\n".join((ROOT / source).read_text() for source in SOURCES)
    return {f"hivekeeper_{name}" for name in re.findall(r'"(?:hivekeeper_)?([a-z_]+)"', spelled)}


def test_every_figure_is_one_of_the_bot_s() -> None:
    """In the rules and in the dashboard; a renamed gauge is noticed here."""
    named = {SUFFIX.sub("", name) for text in expressions() for name in re.findall(r"\bhivekeeper_[a-z_]+", text)}
    assert named
    assert named <= known()


def test_every_figure_of_tokens_is_one_that_is_made() -> None:
    """Upstream's names and ours, as the handlers spell them."""
    from handlers.managed_figures import HELP

    text = " ".join(expressions())
    named = set(re.findall(r"\bmanaged_tokens_([a-z_]+)", text))
    assert named
    assert {name if name in HELP else SUFFIX.sub("", name) for name in named} <= set(HELP)


def test_the_dashboard_shows_every_figure() -> None:
    """What the bot counts is seen somewhere."""
    shown = " ".join(target["expr"] for panel in panels() for target in panel["targets"])
    gauges = (ROOT / "bot/engine/gauges.py").read_text()
    offered = re.findall(r'gauge\("([a-z_]+)"', gauges) + re.findall(r'\("(credential_[a-z_]+)"', gauges)
    assert len(offered) > 8
    assert [name for name in offered if f"hivekeeper_{name}" not in shown] == []


def test_every_rule_says_what_and_what_to_do() -> None:
    """A summary and a description, each whole sentences; how bad it is; names unlike each other."""
    for rule in rules():
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert all(rule["annotations"][key].endswith(".") for key in ("summary", "description"))
    assert len({rule["alert"] for rule in rules()}) == len(rules())


def test_no_two_panels_lie_on_one_another() -> None:
    """Within Grafana's 24 columns, with ids of their own, and each with a source that can be chosen."""
    squares = []
    for panel in panels():
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        squares += itertools.product(range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"]))
        assert panel["datasource"]["uid"] == "${datasource}"
    assert len(squares) == len(set(squares))
    assert len({panel["id"] for panel in panels()}) == len(panels())


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    assert found, "promtool is not there: apt-get install prometheus"
    return found


@pytest.mark.slow
def test_prometheus_reads_them_all(promtool: str, tmp_path: Path) -> None:
    """The rules as they are, and each expression of the dashboard as if it were a rule."""
    recorded = [{"record": f"one:{n}", "expr": text} for n, text in enumerate(expressions())]
    seen = tmp_path / "expressions.yaml"
    seen.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": recorded}]}))
    for path in (RULES, seen):
        assert played(promtool, "check", path) == ""


@pytest.mark.slow
def test_they_fire_when_they_should_and_not_before(promtool: str, tmp_path: Path) -> None:
    """Played through by promtool: see alerts_test.yaml."""
    story = tmp_path / "story.yaml"
    story.write_text((Path(__file__).parent / "alerts_test.yaml").read_text().replace("RULES", str(RULES)))
    assert played(promtool, "test", story) == ""


def played(promtool: str, verb: str, path: Path) -> str:
    """What promtool has against it."""
    done = subprocess.run([promtool, verb, "rules", str(path)], check=False, capture_output=True, text=True, timeout=30)
    return "" if done.returncode == 0 else done.stdout + done.stderr
