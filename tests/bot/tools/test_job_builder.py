"""Job-builder YAML: the jobs that read a path by whatever way of writing it, and no complaint about other YAML."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.ports import Consumers
from bot.tools import job_builder
from bot.tools.jobs import JobFiles

SANDBOX = "sd-uhc/sandbox"
GOOD = "- job: {name: good, wrappers: [vault-secrets: {secrets: [{secret-path: sd-uhc/sandbox}]}]}\n"


def consuming(root: Path, path: str = SANDBOX) -> Consumers:
    return JobFiles((root,)).consuming(path)


def names(found: Consumers) -> list[str]:
    return [job.name for job in found.jobs]


JOB_BUILDER = """
- defaults:
    name: global
    wrappers:
      - vault-secrets: {secrets: [{secret-path: sd-uhc/defaults, secret-values: [{env-var: A, vault-key: a}]}]}
- defaults:
    name: ocm
    wrappers: [sandbox-config]
- wrapper:
    name: sandbox-config
    wrappers:
      - timestamps
      - vault-secrets:
          vault-url: https://vault.example.com
          secrets:
            - secret-path: sd-uhc/sandbox
              secret-values:
                - {env-var: CONFIG, vault-key: config}
                - {env-var: OTHER, vault-key: other}
            - secret-path: sd-uhc/sandbox-tokens
              secret-values: [{env-var: T, vault-key: token}]
- job: {name: by-macro, wrappers: [timestamps, sandbox-config]}
- job: {name: by-defaults, defaults: ocm}
- job: {name: global-only, builders: [shell: !include-raw script.sh]}
- job: {name: overrides, defaults: ocm, wrappers: []}
- job-template: {name: '{name}-{stream}-pr-check', wrappers: [sandbox-config]}
- job-template: {name: '{name}-unused', wrappers: [sandbox-config]}
- job-template: {id: grouped, name: '{name}-build-{branch}', wrappers: [sandbox-config]}
- job-group: {name: '{name}-all', branch: master, jobs: [grouped]}
- project:
    name: accounts
    stream: [stage, {production: {x: 1}}]
    jobs: ['{name}-{stream}-pr-check', '{name}-all']
- project:
    name: clusters
    jobs: ['{name}-{stream}-pr-check': {stream: only}]
"""


def test_job_builder_yaml(tmp_path: Path) -> None:
    """Jobs, templates by their projects and groups, macros and defaults are understood, and own tags passed over."""
    (tmp_path / "jobs.yaml").write_text(JOB_BUILDER)
    found = consuming(tmp_path)
    assert names(found) == [
        "accounts-build-master", "accounts-production-pr-check", "accounts-stage-pr-check", "by-defaults", "by-macro",
        "clusters-only-pr-check", "{name}-unused",
    ]  # fmt: skip
    assert {job.keys for job in found.jobs} == {("config", "other")}
    assert {job.found_in for job in found.jobs} == {f"{tmp_path.name}/jobs.yaml"}
    assert names(consuming(tmp_path, "sd-uhc/defaults")) == ["global-only"]
    assert not found.unreadable


def test_definitions_in_other_files(tmp_path: Path) -> None:
    """A macro in one file is known to a job in another, of either ending."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "job.yml").write_text("- job: {name: far, wrappers: [mine]}\n")
    (tmp_path / "macros.yaml").write_text(
        "- wrapper: {name: mine, wrappers: [mine, vault-secrets: {secrets: [{secret-path: sd-uhc/sandbox}]}]}\n"
    )
    (only,) = consuming(tmp_path).jobs
    assert (only.name, only.keys, only.found_in) == ("far", (), f"{tmp_path.name}/a/job.yml")


@pytest.mark.parametrize(
    "text",
    [
        "- job: [sd-uhc/sandbox",
        "a: &a [sandbox, *a]",
        "z: &z {x: sandbox}\n"
        + "a0: &a0 {<<: [*z, *z]}\n"
        + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 12)),
        "[" * 50_000 + "sandbox" + "]" * 50_000,
        "? [sandbox]\n: 1\n? {}\n: 2\n--- \n- x",
    ],
)
def test_broken_yaml_is_named(tmp_path: Path, text: str) -> None:
    """Broken, recursive, exploding and endlessly nested YAML is named and skipped."""
    (tmp_path / "broken.yaml").write_text(text)
    (tmp_path / "good.yaml").write_text(GOOD)
    found = consuming(tmp_path)
    assert names(found) == ["good"]
    assert len(found.unreadable) == 1
    assert "broken.yaml" in found.unreadable[0]


@pytest.mark.parametrize(
    "text", ["", "- 1\n- [2]\n- {job: 3}\n- {a: {}, b: {}}", "job: sandbox", "sandbox", "- job: {wrappers: sandbox}"]
)
def test_other_yaml_is_no_job(tmp_path: Path, text: str) -> None:
    """YAML of other shapes is none of our business: no job, no complaint."""
    (tmp_path / "other.yaml").write_text(text + " # sandbox")
    assert consuming(tmp_path) == Consumers(jobs=(), unreadable=(), looked_at=1)


JSON = st.recursive(
    st.none() | st.integers() | st.text("job-{}", max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "jobs", "wrappers", "vault-secrets", "secrets", "defaults"]), inner)
    ),
    max_leaves=12,
)
KIND = st.sampled_from(["job", "job-template", "project", "job-group", "defaults", "wrapper", "view"])


@given(st.lists(st.builds(lambda kind, body: {kind: body}, KIND, JSON), max_size=5))
def test_any_shape_of_job_builder(document: list[object]) -> None:
    """Entries of any shape are read without failing, and none of them reads a path that is not there."""
    entries = job_builder.entries(job_builder.Sheet("jobs.yaml", json.dumps(document).encode()))
    assert list(job_builder.uses(entries, SANDBOX)) == []
