"""What is taken from a sentence in which AWS denies something, and what is not."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.tools.denials import Denial, denial

USER = "arn:aws:iam::123456789012:user/x"
REPOSITORY = "arn:aws:ecr:us-east-1:210987654321:repository/team/app"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"User: {USER} is not authorized to perform: ecr:GetAuthorizationToken on resource: * because no identity-based "
         "policy allows the ecr:GetAuthorizationToken action",
         (USER, "ecr:GetAuthorizationToken", "*", "no identity-based policy allows it")),
        (f"denied: User: {USER} is not authorized to perform: ecr:BatchGetImage on resource: {REPOSITORY} because no "
         "resource-based policy allows the ecr:BatchGetImage action; artifact err: the same",
         (USER, "ecr:BatchGetImage", REPOSITORY, "no resource-based policy allows it")),
        (f"User: {USER} is not authorized to perform: ecr:BatchGetImage on resource: {REPOSITORY}",
         (USER, "ecr:BatchGetImage", REPOSITORY, "")),
        (f'"User: {USER} is not authorized to perform: ecr:BatchGetImage on resource: {REPOSITORY}"',
         (USER, "ecr:BatchGetImage", REPOSITORY, "")),
        ("User: arn:aws-us-gov:sts::123456789012:assumed-role/a/b@example.com is not authorized to perform: "
         "sts:AssumeRole on resource: arn:aws-us-gov:iam::123456789012:role/r with an explicit deny in a service control "
         "policy",
         ("arn:aws-us-gov:sts::123456789012:assumed-role/a/b@example.com", "sts:AssumeRole",
          "arn:aws-us-gov:iam::123456789012:role/r", "the service control policy denies it")),
        ("User: anonymous is not authorized to perform: ecr:BatchGetImage on resource: <!channel>",
         ("", "ecr:BatchGetImage", "", "")),
    ],
)  # fmt: skip
def test_principal_action_and_resource(text: str, found: tuple[str, str, str, str]) -> None:
    """As far as the sentence names them, in old and new wordings, also inside another's text."""
    principal, action, resource, policy = found
    assert denial(text) == Denial(principal=principal, action=action, resource=resource, policy=policy)


@pytest.mark.parametrize("text", ["", "denied", "Not authorized to perform sts:AssumeRoleWithWebIdentity",
                                  "is not authorized to perform: <!channel>"])  # fmt: skip
def test_other_sentences_tell_of_no_denial(text: str) -> None:
    """Nothing is made up."""
    assert denial(text) is None


PIECES = st.lists(
    st.sampled_from([USER, REPOSITORY, "is not authorized to perform:", "on resource:", "ecr:BatchGetImage", "<!channel>",
                     "*", " ", "\n", "because no identity-based policy", "arn:aws:", "::", "gobbledygook `x`"])
    | st.text(max_size=5), max_size=12)  # fmt: skip


@given(PIECES)
def test_only_shapes_come_through(pieces: list[str]) -> None:
    """Of any text nothing is passed on that is no ARN, action or policy kind."""
    found = denial(" ".join(pieces))
    if found:
        assert re.fullmatch(r"|arn:aws[a-z-]*:(iam|sts)::[0-9]{12}:[\w+=,.@/:*-]+", found.principal, re.ASCII)
        assert re.fullmatch(r"[a-z0-9-]+:[A-Za-z]+", found.action)
        assert re.fullmatch(r"|\*|arn:aws[\w+=,.@/:*-]+", found.resource, re.ASCII)
        assert re.fullmatch(r"|[a-zA-Z -]+", found.policy)


def test_a_long_text_is_looked_through_quickly() -> None:
    """Made to be slow for the pattern."""
    assert denial("arn:aws:iam::123456789012:" + "a" * 100_000 + " is not authorized") is None
