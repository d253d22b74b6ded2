"""Alerts under load: how many are stored durably in a second, and how long a webhook's notice takes to be stored.

`python benchmarks/alerts.py [alerts] [PostgreSQL address]`: a storm of firing alerts, half of them resolved later, in
shuffled notices of 20, each delivered twice as by two Alertmanagers. Four threads hand them to the desk, as the web
server's do; the store is SQLite in a fresh folder, or PostgreSQL. Nothing counts before its transaction is committed.
"""

from __future__ import annotations

import os
import random
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

from cryptography.fernet import Fernet

from bot.core.alert import Alert, Matcher, Notice
from bot.core.diagnosis import AlertHandler, Diagnosis, Mood
from bot.core.errors import Transient
from bot.core.handler import HandlerSettings
from bot.engine import desk
from bot.settings import Settings, Slack, Store

SIZE, THREADS, REGIONS = 20, 4, 4
HANDLER = AlertHandler(
    "storm", "", HandlerSettings, ((Matcher(label="alertname", equal="storm"),),),
    lambda *_: Diagnosis(verdict="x", mood=Mood.BAD, title="x"),
    key=lambda alert: alert.labels["region"],
)  # fmt: skip


class Nobody:
    def of(self, _: str) -> frozenset[str]:
        return frozenset()


def storm(count: int, name: str) -> list[Notice]:
    """Every alert of one notice is of one region, as Alertmanager groups them."""
    begun = time.time() - 60
    size = count // REGIONS
    firing = [
        Alert(
            identity=f"host{n}", status="firing", starts_at=begun,
            labels={"alertname": "storm", "host": f"host{n}", "region": f"region{n // size}"},
            annotations={"summary": "Authentication requests fail on this host."},
        )
        for n in range(count)
    ]  # fmt: skip
    ended = [a.model_copy(update={"status": "resolved", "ends_at": begun + 30}) for a in firing[::2]]
    parts = [alerts[at : at + SIZE] for alerts in (firing, ended) for at in range(0, len(alerts), SIZE)]
    notices = [Notice(key=f"{name}{n}", origin="alertmanager", alerts=tuple(part)) for n, part in enumerate(parts)]
    random.Random(1).shuffle(twice := notices * 2)
    return twice


def stored(engine: desk.Submitting, notice: Notice) -> bool:
    try:
        return bool(engine.desk.notice(notice))
    except Transient:
        return False


def hear(engine: desk.Submitting, notices: list[Notice]) -> tuple[float, list[float]]:
    """Seconds in all, and milliseconds of each notice. What the store had no time for is sent again at once."""
    took: list[float] = []

    def work(part: list[Notice]) -> None:
        for notice in part:
            begun = time.perf_counter()
            while not stored(engine, notice):
                pass
            took.append((time.perf_counter() - begun) * 1000)

    threads = [threading.Thread(target=work, args=(notices[n::THREADS],)) for n in range(THREADS)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - begun, took


def main(count: int, url: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), slack=Slack(channel="C1"), store=Store(url=url))
        cipher = Fernet(Fernet.generate_key())
        engine = desk.submit_only(settings, {}, {}, Nobody(), cipher=cipher, alert_handlers={HANDLER.name: HANDLER})
        quiet = [hear(engine, [one])[1][0] for one in storm(count, "warm")[:20]][5:]
        notices = storm(count, "n")
        seconds, took = hear(engine, notices)
        views = engine.desk.incidents()
        engine.stop()
    alerts = sum(len(notice.alerts) for notice in notices)
    right = sum(view.firing for view in views), sum(view.resolved for view in views), len(views)
    print(f"load average of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    print(f"{alerts} alerts in {len(notices)} notices: {seconds:.1f} s, {alerts / seconds:.0f} alerts/s durable")
    print(
        f"notice stored, one at a time: median {statistics.median(quiet):.1f} ms; in the storm: "
        f"p50 {statistics.median(took):.1f} ms, p99 {sorted(took)[int(len(took) * 0.99)]:.1f} ms"
    )
    print(f"firing, resolved, incidents afterwards: {right} (of {count} alerts, half of them resolved)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000, sys.argv[2] if len(sys.argv) > 2 else None)
