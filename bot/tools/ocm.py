"""OCM's accounts management API: is there an accepted transfer of a cluster, and with it a new pull secret? Asked to
the letter as the insights operator asks (upstream.md, seed 001)."""

from __future__ import annotations

import re
from threading import BoundedSemaphore
from urllib.parse import urlencode, urlsplit

from pydantic import TypeAdapter, ValidationError

from bot.core.errors import Refused
from bot.core.ocm import Offered
from bot.core.secret import Secret
from bot.identity import Ocm
from bot.sources import SafeAddress
from bot.tools import ocm_told
from bot.tools.http_answer import LOADING, Answer, twice

PATH = "/api/accounts_mgmt/v1/cluster_transfers/"
AGENT = "hivekeeper"
LONGEST_BODY = 4_194_304  # bytes
LONGEST_TOKEN, LONGEST_ADDRESS = 32_768, 2_000  # characters
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I | re.A)
PORTS = {"https": 443, "http": 80}
SAFE: TypeAdapter[str] = TypeAdapter(SafeAddress)
Place = tuple[str, int]  # host and port


class TransferApi:
    """Each question is asked; `RememberedOcm` stands before it. Thread-safe. A host that does not answer holds up no
    other one."""

    def __init__(self, settings: Ocm) -> None:
        self._settings = settings
        named = (_place(f"https://{host}") for host in settings.allowed_hosts)
        places = {_place(settings.address), *named}
        self._slots = {place: BoundedSemaphore(settings.connections) for place in places}

    def offered(self, cluster_id: str, auth: Secret, *, endpoint: str = "") -> Offered:
        """See `bot.core.ocm.Ocm.offered`. Refused: an id or a token that cannot be one, an endpoint that the settings
        do not allow, a CA file that is not there."""
        if not UUID.fullmatch(cluster_id):
            raise Refused(
                "The cluster's id is no UUID, so OCM cannot be asked about it.", "Look at its ClusterVersion."
            )
        url = self._allowed(endpoint) if endpoint else self._settings.address.rstrip("/") + PATH
        where = f"OCM at {urlsplit(url).hostname}"
        answer = self._ask(url, cluster_id, _token(auth))
        if answer.how in ("ca_file", "unsendable"):
            raise Refused(answer.silence(where, self._settings.timeout), "Check ocm in the settings.")
        return ocm_told.offered(answer, cluster_id, where, self._settings.timeout)

    def _allowed(self, endpoint: str) -> str:
        """The endpoint. It is not repeated when refused: it comes from a Secret, and may be anything."""
        try:
            fits = len(endpoint) <= LONGEST_ADDRESS and not {"?", "#", "\\"} & set(SAFE.validate_python(endpoint))
        except ValidationError:
            fits = False
        if not fits:
            raise Refused(
                "The cluster names an address for OCM that cannot be one.",
                "Correct clusterTransfer.endpoint in its insights-config, or clusterTransferEndpoint in its support.",
            )
        if _place(endpoint) not in self._slots:
            raise Refused(
                "The cluster names another OCM than the bot may send its token to.",
                "Correct it in the cluster's insights-config, or add its host to ocm.allowed_hosts if it is right.",
            )
        return endpoint

    def _ask(self, url: str, cluster_id: str, token: str) -> Answer:
        with LOADING:
            from bot.tools import http_session

        asked = urlencode({"search": f"cluster_uuid is '{cluster_id}' and status is 'accepted'"})
        headers = {
            "Authorization": f"AccessToken {cluster_id}:{token}",
            "Content-Type": "application/json",
            "User-Agent": AGENT,
        }

        def look(seconds: float) -> Answer:
            session = http_session.Session(seconds=seconds, ca_file=self._settings.ca_file, limit=LONGEST_BODY)
            return http_session.look(
                session, lambda it: it.get(f"{url}?{asked}", headers=headers, allow_redirects=False)
            )

        with self._slots[_place(url)]:
            return twice(self._settings.timeout, look)


def _place(url: str) -> Place:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or PORTS[parts.scheme]


def _token(auth: Secret) -> str:
    """Refused for what no header can carry."""
    token = auth.reveal()
    if not 0 < len(token) <= LONGEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise Refused(
            "The cloud.openshift.com entry of the cluster's pull secret holds no token that could be sent.",
            "Compare its auth with the pull secret of the cluster's owner at console.redhat.com.",
        )
    return token
