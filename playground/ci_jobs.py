"""Generated CI jobs as jenkins-job-builder leaves them: a folder per job with a config.xml (upstream.md, seed 000)."""

from __future__ import annotations

import xml.etree.ElementTree as Xml
from collections.abc import Mapping
from pathlib import Path

SANDBOX, TOKENS, STAGING = "sd-uhc/sandbox", "sd-uhc/sandbox-tokens", "sd-uhc/staging"
VAULT = "com.datapipe.jenkins.vault."

# job -> {Vault path: keys}
NINE: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "service-api-tests-ocm-build-master": {SANDBOX: ("config",)},
    "service-api-tests-ocm-pr-check": {SANDBOX: ("config",)},
    "service-ocm-resources-ocm-build-master-timed-production": {SANDBOX: ("config", "aws-access-key-id")},
    "service-ocm-resources-ocm-pr-check": {SANDBOX: ("config",)},
    "service-ocm-resources-ocm-build-master-timed-stage": {SANDBOX: ("config",), STAGING: ("config",)},
    "service-ocm-service-log-ocm-pr-check": {SANDBOX: ("config",)},
    "service-ocm-resources-ocm-build-master": {SANDBOX: ("config", "aws-access-key-id")},
    "service-uhc-account-manager-ocm-pr-check": {SANDBOX: ("config",)},
    "service-uhc-clusters-service-ocm-pr-check": {SANDBOX: ("config", "aws-access-key-id")},
}
DECOYS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "service-ocm-token-refresh": {TOKENS: ("hive-frontend-token", "aws-account-operator-client-token")},
    "service-ocm-token-report": {TOKENS: ("hive-frontend-token",)},
    "service-uhc-gateway-stage": {STAGING: ("config",)},
    "service-docs-publish": {},
}
BROKEN = "service-uhc-leftover"


def write_jobs(folder: Path) -> Path:
    """Write the nine jobs and the decoys below `folder`; returns the folder that the bot's settings name."""
    instance = folder / "jjb" / "current" / "ci-int"
    for name, secrets in {**NINE, **DECOYS}.items():
        _write(instance / name, job(secrets))
    _write(instance / "all-jobs", view())
    (instance / BROKEN).mkdir()
    (instance / BROKEN / "config.xml").write_text(f"<project><path>{STAGING}</path>", encoding="utf-8")
    return folder / "jjb"


def job(secrets: Mapping[str, tuple[str, ...]]) -> Xml.Element:
    """A freestyle job that reads these Vault paths and keys."""
    project = Xml.Element("project")
    wrappers = Xml.SubElement(project, "buildWrappers")
    if not secrets:
        return project
    wrapper = Xml.SubElement(wrappers, VAULT + "VaultBuildWrapper", plugin="hashicorp-vault-plugin")
    configuration = Xml.SubElement(wrapper, "configuration")
    Xml.SubElement(configuration, "vaultUrl").text = "https://vault.example.com"
    Xml.SubElement(configuration, "engineVersion").text = "1"
    listed = Xml.SubElement(wrapper, "vaultSecrets")
    for path, keys in secrets.items():
        listed.append(secret(path, keys))
    return project


def secret(path: str, keys: tuple[str, ...]) -> Xml.Element:
    element = Xml.Element(VAULT + "model.VaultSecret")
    Xml.SubElement(element, "path").text = path
    Xml.SubElement(element, "engineVersion").text = "1"
    values = Xml.SubElement(element, "secretValues")
    for key in keys:
        value = Xml.SubElement(values, VAULT + "model.VaultSecretValue")
        Xml.SubElement(value, "envVar").text = key.upper().replace("-", "_")
        Xml.SubElement(value, "vaultKey").text = key
    return element


def view() -> Xml.Element:
    """A list of jobs, which the generator writes beside the jobs; it is none."""
    element = Xml.Element("hudson.model.ListView")
    Xml.SubElement(element, "name").text = "all-jobs"
    return element


def _write(folder: Path, root: Xml.Element) -> None:
    folder.mkdir(parents=True)
    Xml.indent(root)
    Xml.ElementTree(root).write(folder / "config.xml", encoding="utf-8", xml_declaration=True)
