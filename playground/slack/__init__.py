"""Slack in miniature, as strict as the real one."""

from playground.slack.app import create
from playground.slack.workspace import BOT_USER, Times, Workspace

__all__ = ["BOT_USER", "Times", "Workspace", "create"]
