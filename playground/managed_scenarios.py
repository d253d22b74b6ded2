"""The buttons that keep Vault tokens from grid nodes, or FERRY from answering."""

from __future__ import annotations

from playground.managed_tokens import ManagedTokens, node, service
from playground.scenario import Scenario

GROUP = "Grid tokens"
DOWN, PLANTED, FULL = node("sbnd", 1), node("dune", 2), node("nova", 1)


class ManagedDeeds:
    def __init__(self, managed: ManagedTokens) -> None:
        self._managed = managed

    def down(self) -> str:
        self._managed.node_down(DOWN)
        return (
            f"On {DOWN} nothing listens any more. Type /push-tokens sbnd: the other node gets its token all the same."
        )

    def planted(self) -> str:
        self._managed.plant(PLANTED)
        return f"On {PLANTED} a link of somebody else stands where dune's token goes. Type /push-tokens dune"

    def full(self) -> str:
        self._managed.fill_disk(FULL)
        return f"The disk of {FULL} is full. Type /push-tokens nova: the token there stays as it is."

    def signed_out(self) -> str:
        self._managed.end_sign_in("dune")
        return f"The issuer no longer takes what dune once signed in with. Type /onboard-tokens {service('dune')}"

    def banned(self) -> str:
        self._managed.ban("sbnd")
        return "FERRY says that sbndpro is banned. Type /refresh-uids, approve, then /push-tokens sbnd"

    def new_uid(self) -> str:
        uid = self._managed.new_uid("nova")
        return (
            f"FERRY says that novapro has the UID {uid}. Type /refresh-uids: it is noted, and used only by your leave."
        )

    def ferry_down(self) -> str:
        self._managed.ferry_down()
        return "FERRY answers 503. Type /refresh-uids: what was known stays."

    def mend(self) -> str:
        self._managed.mend()
        return "Nodes are up, with room and without links; everybody is signed in; FERRY answers. Type /push-tokens"


def managed_scenarios(managed: ManagedTokens) -> list[Scenario]:
    deeds = ManagedDeeds(managed)
    return [
        Scenario("node-down", "A node is down", "It keeps no other node from its token.", GROUP, deeds.down,
                 danger=True),
        Scenario("link-planted", "Somebody planted a symlink on a node", "Nothing is written through it; it is "
                 "reported.", GROUP, deeds.planted, danger=True),
        Scenario("disk-full", "A node's disk is full", "The old token stays whole.", GROUP, deeds.full, danger=True),
        Scenario("signed-out", "A service's sign-in ran out", "Vault gets nothing for it until a person signs in.",
                 GROUP, deeds.signed_out),
        Scenario("uid-banned", "FERRY: an account is banned", "Nothing is pushed to it.", GROUP, deeds.banned),
        Scenario("uid-changed", "FERRY: an account has a new UID", "A person must accept it.", GROUP, deeds.new_uid),
        Scenario("ferry-down", "FERRY is down", "UIDs stay as they were.", GROUP, deeds.ferry_down, danger=True),
        Scenario("grid-mended", "The grid is well again", "UIDs stay as FERRY has them now.", GROUP, deeds.mend),
    ]  # fmt: skip
