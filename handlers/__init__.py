"""The knowledge: one subject per module, its runbook beside it. Listed here, never discovered."""

from bot.core.handler import Handler
from handlers import rotate_hive_tokens, secret_consumers

HANDLERS: tuple[Handler, ...] = (rotate_hive_tokens.HANDLER, secret_consumers.HANDLER)
