"""Ten clusters, Amazon and its registry for `benchmarks/ecr.py`, in processes of their own.

`python benchmarks/ecr_world.py NAMESPACES NAME=SECONDS…` plays these clusters, each answer taking so long, and Amazon
where NAME is "aws"; it prints one line of JSON and ends with its parent. `requests` of a line on its input: prints how
many requests each has had.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from playground.aws import AwsStandIn
from playground.cluster_seed import pull_secret
from playground.kubernetes import KubernetesStandIn
from playground.registry import RegistryStandIn
from playground.server import run_in_thread

REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
REPOSITORY = "consultingfirm/frontend"
SECRET, OTHER = "ecr-secret", "registry.example.com"
ALL = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
BOT = "system:serviceaccount:hivekeeper:hivekeeper"


def cluster(namespaces: int, seconds: float, token: str) -> KubernetesStandIn:
    """With a pull secret in each namespace that nobody has renewed."""
    made = KubernetesStandIn()
    made.tokens.accept(token, BOT)
    made.rules.grant(BOT, ALL)
    for number in range(namespaces):
        pull_secret(made, f"cf-{number}", SECRET, {OTHER: ("somebody", "a word"), REGISTRY: ("AWS", "an old word")})
    made.slow(seconds)
    return made


def amazon() -> dict[str, Any]:
    aws = AwsStandIn("123456789012")
    keys = aws.user("hivekeeper")
    registry = RegistryStandIn(REGISTRY, lambda user, word: aws.password_good(word) if user == "AWS" else None)
    registry.add(REPOSITORY, "latest", pullers=(keys.arn,))
    return {
        "aws": run_in_thread(aws.app(), date_header=False).url,
        "registry": run_in_thread(registry.app()).url,
        "key_id": keys.key_id,
        "key": keys.secret,
    }


def main(namespaces: int, token: str, wanted: list[str]) -> None:
    told: dict[str, Any] = {}
    clusters: dict[str, KubernetesStandIn] = {}
    for name, _, seconds in (one.partition("=") for one in wanted):
        if name == "aws":
            told |= amazon()
        else:
            clusters[name] = cluster(namespaces, float(seconds), token)
            told[name] = run_in_thread(clusters[name].app()).url
    print(json.dumps(told), flush=True)
    for _ in sys.stdin:
        print(json.dumps({name: one._count for name, one in clusters.items()}), flush=True)
    time.sleep(0.1)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
