"""Who reads a Vault path: exactly those who do, by their right names, whatever else lies in the directories."""

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import Refused
from bot.core.ports import Consumers
from bot.tools.jobs import FILE_LIMIT, JobFiles, xml_keys
from playground.ci_jobs import NINE, SANDBOX, write_jobs

# As in the runbook of the OCM CI jobs.
THE_NINE = {
    "service-api-tests-ocm-build-master",
    "service-api-tests-ocm-pr-check",
    "service-ocm-resources-ocm-build-master-timed-production",
    "service-ocm-resources-ocm-pr-check",
    "service-ocm-resources-ocm-build-master-timed-stage",
    "service-ocm-service-log-ocm-pr-check",
    "service-ocm-resources-ocm-build-master",
    "service-uhc-account-manager-ocm-pr-check",
    "service-uhc-clusters-service-ocm-pr-check",
}


def job_xml(path: str = SANDBOX, *keys: str, head: str = "<?xml version='1.0' encoding='utf-8'?>") -> str:
    """A job as Jenkins Job Builder 6.5 writes it, condensed."""
    vault = "com.datapipe.jenkins.vault"
    values = "".join(
        f"<{vault}.model.VaultSecretValue><envVar>X</envVar><vaultKey>{key}</vaultKey></{vault}.model.VaultSecretValue>"
        for key in keys
    )
    return (
        f"{head}<project><buildWrappers><{vault}.VaultBuildWrapper><vaultSecrets><{vault}.model.VaultSecret>"
        f"<path>{path}</path><engineVersion>1</engineVersion><secretValues>{values}</secretValues>"
        f"</{vault}.model.VaultSecret></vaultSecrets></{vault}.VaultBuildWrapper></buildWrappers></project>\n"
    )


def put(root: Path, job: str, content: str | bytes) -> None:
    folder = root / "current" / "ci-int" / job
    folder.mkdir(parents=True, exist_ok=True)
    raw = content if isinstance(content, bytes) else content.encode()
    (folder / "config.xml").write_bytes(raw)


def consuming(root: Path, path: str = SANDBOX) -> Consumers:
    return JobFiles((root,)).consuming(path)


def names(found: Consumers) -> list[str]:
    return [job.name for job in found.jobs]


def test_the_nine_jobs(tmp_path: Path) -> None:
    """With the nine jobs of the runbook among decoys, it gives exactly those nine, with the keys each reads."""
    found = consuming(write_jobs(tmp_path))
    assert set(names(found)) == THE_NINE
    assert len(found.jobs) == 9
    assert {job.name: job.keys for job in found.jobs} == {job: tuple(sorted(of[SANDBOX])) for job, of in NINE.items()}


def test_the_path_matches_exactly(tmp_path: Path) -> None:
    """Neither a longer nor a shorter path, nor the same text elsewhere in a job, counts."""
    put(tmp_path, "tokens", job_xml("sd-uhc/sandbox-tokens"))
    put(tmp_path, "below", job_xml("sd-uhc/sandbox/x"))
    put(tmp_path, "shorter", job_xml("sd-uhc/sand"))
    put(
        tmp_path,
        "in-a-script",
        "<project><command>vault read sd-uhc/sandbox</command><path>sd-uhc/sandbox</path></project>",
    )
    put(tmp_path, "yes", job_xml("\n  sd-uhc/sandbox\n", "config"))
    assert names(consuming(tmp_path)) == ["yes"]
    assert names(consuming(tmp_path, "sd-uhc/sandbox-tokens")) == ["tokens"]


def test_ways_of_writing_xml(tmp_path: Path) -> None:
    """XML 1.1 as Jenkins itself writes it, UTF-16, and character references are read too."""
    put(tmp_path, "jenkins", job_xml(head="<?xml version='1.1' encoding='UTF-8'?>"))
    put(tmp_path, "wide", job_xml(head="<?xml version='1.0' encoding='utf-16'?>").encode("utf-16"))
    put(tmp_path, "referring", job_xml("sd-uhc/s&#97;ndbox"))
    assert names(consuming(tmp_path)) == ["jenkins", "referring", "wide"]
    assert not consuming(tmp_path).unreadable


def test_views_are_no_jobs(tmp_path: Path) -> None:
    """A list view, even one that names the path in the right element, is passed over in silence."""
    put(tmp_path, "view", job_xml().replace("project>", "hudson.model.ListView>"))
    put(tmp_path, "pipeline", job_xml().replace("project>", "flow-definition>"))
    found = consuming(tmp_path)
    assert names(found) == ["pipeline"]
    assert not found.unreadable


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE p [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
    "<project><path>sd-uhc/sandbox</path>&b;</project>"
)
BROKEN: dict[str, tuple[str | bytes, str]] = {
    "cut off": (job_xml()[:-30], "cut off"),
    "empty": ("", "cut off"),
    "not closed": (job_xml().replace("</project>", ""), "well-formed"),
    "entity bomb": (BOMB, "entities"),
    "external entity": (BOMB.replace('"aaaaaaaaaa"', 'SYSTEM "file:///etc/hostname"'), "entities"),
    "unknown encoding": (job_xml(head="<?xml version='1.0' encoding='klingon'?>"), "well-formed"),
    "not UTF-8": (job_xml().encode().replace(b"<path>", b"<path>\xff"), "well-formed"),
    "huge": (job_xml() + " " * FILE_LIMIT, "larger than"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_named(tmp_path: Path, name: str) -> None:
    """Each is skipped and named with its reason, and the good job beside it is found."""
    content, reason = BROKEN[name]
    put(tmp_path, "broken", content)
    put(tmp_path, "good", job_xml())
    found = consuming(tmp_path)
    assert names(found) == ["good"]
    assert len(found.unreadable) == 1
    assert found.unreadable[0].startswith(f"{tmp_path.name}/current/ci-int/broken/config.xml: ")
    assert reason in found.unreadable[0]


def test_deep_nesting(tmp_path: Path) -> None:
    """A file of a hundred thousand nested elements is read like any other."""
    put(tmp_path, "deep", "<a>" * 100_000 + job_xml(head="") + "</a>" * 100_000)
    assert names(consuming(tmp_path)) == ["deep"]


def test_links(tmp_path: Path) -> None:
    """Links are followed, as a mounted ConfigMap needs; loops, dead links and devices are named, not entered."""
    root = tmp_path / "root"
    elsewhere = tmp_path / "elsewhere"
    put(elsewhere, "linked", job_xml())
    put(root, "own", job_xml())
    (root / "more").symlink_to(elsewhere)
    (root / "loop").symlink_to(root)
    itself = root / "itself"
    itself.mkdir()
    (itself / "config.xml").symlink_to(itself / "config.xml")
    pipe = root / "pipe"
    pipe.mkdir()
    os.mkfifo(pipe / "config.xml")
    found = consuming(root)
    assert names(found) == ["linked", "own"]
    assert [line.split(": ")[0] for line in found.unreadable] == [
        "root/itself/config.xml", "root/loop", "root/pipe/config.xml",
    ]  # fmt: skip


def test_a_job_in_two_trees_is_one_job(tmp_path: Path) -> None:
    """The same job in `desired` and `current` is listed once, with the keys of both."""
    put(tmp_path, "job", job_xml(SANDBOX, "config"))
    twin = tmp_path / "desired" / "ci-int" / "job"
    twin.mkdir(parents=True)
    (twin / "config.xml").write_text(job_xml(SANDBOX, "user"))
    (only,) = consuming(tmp_path).jobs
    assert (only.name, only.keys) == ("job", ("config", "user"))
    assert only.found_in == f"{tmp_path.name}/current/ci-int/job/config.xml and 1 more"


def test_a_missing_directory_is_refused(tmp_path: Path) -> None:
    """A directory that is not there is an error, not an empty answer."""
    with pytest.raises(Refused, match="There is no directory"):
        consuming(tmp_path / "nowhere")
    assert not JobFiles(()).configured()
    assert JobFiles((tmp_path,)).configured()


@pytest.mark.slow  # so much of it takes its time
def test_thousands_of_files(tmp_path: Path) -> None:
    """Three thousand jobs of ten kilobytes are looked through in seconds of the processor's time."""
    filler = "<!-- " + "x" * 10_000 + " -->"
    for number in range(3000):
        put(tmp_path, f"job-{number}", job_xml("sd-uhc/other").replace("</project>", filler + "</project>"))
    put(tmp_path, "the-one", job_xml())
    begun = time.thread_time()
    found = consuming(tmp_path)
    assert names(found) == ["the-one"]
    assert found.looked_at == 3001
    assert time.thread_time() - begun < 5


@given(st.binary(max_size=80) | st.text(alphabet="<>/ab=\"'&#;![]?-x ", max_size=60).map(str.encode))
def test_any_bytes_are_xml_or_refused(raw: bytes) -> None:
    """No bytes make reading a job fail in any other way than by refusing."""
    try:
        assert xml_keys(raw, SANDBOX) is None
    except Refused as refusal:
        assert refusal.what
