"""Digests: whatever has gone wrong, each receiver gets one, of what concerns them, once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.core.grid import Inventory, Service
from bot.core.records import Record
from handlers.managed_mail import ADMINS, AGAIN, digests, service_of, where
from handlers.managed_records import TROUBLE, errors_of

NOW = 1_900_000_000.0


def service(experiment: str, role: str, *, notify: bool) -> Service:
    return Service(
        name=f"{experiment}_{role}", experiment=experiment, role=role, account="a", principal="a@EXAMPLE.COM",
        keytab="/k", emails=(f"{experiment}@example.com",), notify=notify,
    )  # fmt: skip


SERVICES = (
    service("dune", "pro", notify=True),
    service("dune", "ana", notify=False),
    service("nova", "pro", notify=True),
)
FOUND = Inventory(services=SERVICES, admin_emails=("admins@example.com",), errors_before_mail=3)
PLACES = [f"{stage}:{one.name}{'' if stage in ('obtain', 'uid') else '@x'}"
          for one in SERVICES for stage in ("obtain", "uid", "store", "push")]  # fmt: skip
AUDIENCES = ("dune", "nova", ADMINS)


def record(kind: str, key: str, errors: int, seen_at: float) -> Record:
    value = {"errors": errors, "what": f"Trouble <{key}>.", "now": "Mend it."}
    return Record(kind=kind, key=key, value=value, since=seen_at, seen_at=seen_at)


@given(
    errors=st.dictionaries(st.sampled_from(PLACES), st.integers(0, 9)),
    heard=st.dictionaries(st.tuples(st.sampled_from(AUDIENCES), st.sampled_from(PLACES)), st.floats(0, 3 * AGAIN)),
)
def test_each_receiver_hears_once_of_what_concerns_them(
    errors: dict[str, int], heard: dict[tuple[str, str], float]
) -> None:
    """One mail at most for each; what is new has reached the threshold and was not told today, what is over was told;
    an experiment hears of no other's, of none that wants no mail, and of no credd and no login."""
    known = {key: record(TROUBLE, key, count, NOW) for key, count in errors.items()}
    told = {f"{who}/{key}": record("tokens.told", f"{who}/{key}", 1, NOW - ago) for (who, key), ago in heard.items()}
    made = digests(FOUND, known, told, NOW, {})
    assert len({one.audience for one in made}) == len(made)
    for one in made:
        assert one.news or one.past
        assert all(errors[key] >= 3 and heard.get((one.audience, key), AGAIN) >= AGAIN for key in one.news)
        assert all((one.audience, key) in heard and not errors.get(key) for key in one.past)
        assert all(where(key) in one.body for key in one.news)
        assert all("Trouble" in one.body and "Mend it." in one.body for _ in one.news)
        if one.audience != ADMINS:
            names = {s.name for s in SERVICES if s.experiment == one.audience and s.notify}
            assert all(service_of(key) in names and not key.startswith(("obtain:", "store:")) for key in one.news)
    ours = next((one.news for one in made if one.audience == ADMINS), ())
    due = {key for key, one in known.items() if errors_of(one) >= 3 and heard.get((ADMINS, key), AGAIN) >= AGAIN}
    assert set(ours) == due
