"""Red Hat authentication of armada-kubx-deployer: what the commands and the alert about it have in common (seed 002).

Settings, the queries, and what is read for one region. Judging is in `redhat_auth_verdict`, telling in
`redhat_auth_diagnosis`.
"""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import Field

from bot.core.errors import Refused
from bot.core.handler import Ask, HandlerSettings

METRIC = "armada_kubx_deployer_redhat_auth"
ALERT = f"armada-deploy/{METRIC}"
QUERY = f"(sum by (status,method) (count_over_time({METRIC}{{}}[1h])))"
SHORT = f"(sum by (status,method) (count_over_time({METRIC}{{}}[5m])))"  # over time: tells whether it goes on
WINDOW = 300.0  # seconds: the range of SHORT
HOUR = 3600.0
TITLE = "The creation and deletion of OpenShift clusters is currently impacted"
RUNBOOK = "diagnose-redhat-auth"


class Region(Ask):
    """The one parameter that these commands share."""

    region: str = Field(
        default="",
        max_length=100,
        pattern=r"^[A-Za-z0-9._-]*$",
        description="A region of the settings (prometheus); all of them if left out.",
        json_schema_extra={"positional": True},
    )


class ForIncident(Region):
    """With the incident whose button was pressed, so that one incident calls once."""

    incident: str = Field(
        default="",
        max_length=40,
        pattern=r"^[A-Za-z0-9-]*$",
        description="The incident it is for; its buttons fill it in, by hand it is left out.",
    )


class Settings(HandlerSettings):
    """The defaults are those of the runbook; names, links and the account are the organisation's."""

    region_label: str = Field(default="region", description="The alert's label that names the region.")
    endpoint: str = Field(default="accounts", description="The accounts endpoint's name under `endpoints`.")
    endpoint_address: str = Field(
        default="https://api.openshift.com/api/accounts_mgmt/v1/",
        description="Its address as people are told it; what is asked is the one under `endpoints`.",
    )
    hours: float = Field(default=3, gt=0, le=24, description="Hours that the chart and the question since when cover.")
    few: int = Field(
        default=3, ge=1, description="Fewer failures than this in an hour, among successes, are no failing method."
    )
    stale_minutes: float = Field(
        default=15, ge=5, description="Minutes without any sample after which the data count as old."
    )
    alert_failures: float = Field(
        default=10, gt=0, description="Failures in 15 minutes from which the alert fires; drawn as the threshold."
    )
    service_account: str = Field(
        default="2AtM67Ysf2lSXSQZIejS4LLhOfI", description="Service account that jwt logs in as; told to Red Hat."
    )
    username: str = Field(default="ibmcloud-rhoic-prod2", description="User name of that service account.")
    account: str = Field(default="6525254", description="Red Hat account that both methods belong to.")
    support: str = Field(default="https://access.redhat.com/support", description="Where a case is opened by hand.")
    policy: str = Field(default="", description="Name of the squad's PagerDuty escalation policy, for people.")
    slack_channel: str = Field(default="", description="The squad's Slack channel, for what is no CIE.")
    issues: str = Field(default="", description="Address where an issue for later is opened by hand.")
    labels: tuple[str, ...] = Field(default=("cie",), description="Labels of the issue that a CIE opens.")


def marker(what: str, ask: ForIncident, now: float) -> str:
    """What a page, an issue or a case is known by: once for an incident; by hand, once a day for a region."""
    if ask.incident:
        return f"hivekeeper/redhat-auth/{what}/{ask.incident}"
    day = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d")
    return f"hivekeeper/redhat-auth/{what}/{day}/{ask.region or 'all'}"


def known(region: str, regions: tuple[str, ...]) -> str:
    """The region, if the settings know it. Refused with the list of those they know."""
    if region and region not in regions:
        raise Refused(f"The settings have no region {region}.", f"There are: {', '.join(regions) or 'none'}.")
    return region
