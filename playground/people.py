"""Who is in the demo: invented people, channels and one user group, as plain data."""

from __future__ import annotations

from typing import Any

ASKER, APPROVER, SECOND, NEWCOMER, OWNER = "U0MIRA", "U0TOMAS", "U0AYLA", "U0JUN", "U0ODA"
ONCALL_CHANNEL, CI_CHANNEL, GENERAL_CHANNEL = "C0ONCALL", "C0OCMCI", "C0GENERAL"
ALERTS_CHANNEL, GRID_CHANNEL = "C0ALERTS", "C0GRID"
APPROVERS_GROUP = "S0APPSRE"
WORKSPACE = "Beekeepers"

PEOPLE: tuple[dict[str, Any], ...] = (
    {"id": ASKER, "name": "mira", "real_name": "Mira", "title": "On call this week", "color": "7a3fc4"},
    {"id": APPROVER, "name": "tomas", "real_name": "Tomas", "title": "App SRE", "color": "0f7157"},
    {"id": SECOND, "name": "ayla", "real_name": "Ayla", "title": "App SRE", "color": "0b63a5"},
    {"id": NEWCOMER, "name": "jun", "real_name": "Jun", "title": "Joined on Monday", "color": "a8471c"},
    {"id": OWNER, "name": "oda", "real_name": "Oda", "title": "Owns the platform", "color": "9c2c62"},
)
CHANNELS: tuple[dict[str, Any], ...] = (
    {"id": ONCALL_CHANNEL, "name": "sd-uhc-oncall", "topic": "Whoever is on call asks here"},
    {"id": ALERTS_CHANNEL, "name": "roks-alerts", "topic": "Where monitoring posts; the bot answers in the threads"},
    {"id": CI_CHANNEL, "name": "ocm-ci", "topic": "Red builds and who looks at them"},
    {"id": GRID_CHANNEL, "name": "grid-tokens", "topic": "What schedules say of experiments' Vault tokens"},
    {"id": GENERAL_CHANNEL, "name": "general", "topic": "Everything else"},
)
USERGROUPS: dict[str, Any] = {
    APPROVERS_GROUP: {"handle": "app-sre", "name": "App SRE", "users": [APPROVER, SECOND]},
}
BADGES: dict[str, dict[str, Any]] = {
    APPROVER: {"may_approve": True, "badge": "may approve"},
    SECOND: {"may_approve": True, "badge": "may approve"},
    OWNER: {"may_approve": True, "badge": "may approve"},
}
CHATTER: tuple[tuple[str, str, str], ...] = (
    (GENERAL_CHANNEL, OWNER, "Welcome, <@U0JUN>. Ask anything, break nothing alone."),
    (CI_CHANNEL, NEWCOMER, "Is there a page that says which jobs read `sd-uhc/sandbox`?"),
    (CI_CHANNEL, ASKER, "Ask the bot: `/secret-consumers sd-uhc/sandbox`"),
    (ONCALL_CHANNEL, OWNER, "Mira has the pager. Tomas and Ayla approve."),
)
COMPLAINT = (
    "`service-api-tests-ocm-pr-check` is red: hive answers *401 Unauthorized*. "
    "Production got new service-account tokens, didn't it?"
)
