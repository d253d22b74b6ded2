"""The knowledge: one subject per module, its runbook beside it. Listed here, never discovered."""

from bot.core.diagnosis import AlertHandler
from bot.core.handler import Handler
from handlers import (
    contact_redhat,
    diagnose_image_pull,
    diagnose_redhat_auth,
    escalate_redhat_auth,
    fix_offline_session,
    keep_offline_alive,
    offline_session,
    onboard_tokens,
    open_cie,
    pull_secret,
    push_tokens,
    refresh_ecr,
    refresh_uids,
    rotate_hive_tokens,
    run_ci_jobs,
    runbook,
    secret_consumers,
    test_pull,
    tokens_status,
)

HANDLERS: tuple[Handler, ...] = (
    rotate_hive_tokens.HANDLER,
    secret_consumers.HANDLER,
    fix_offline_session.HANDLER,
    keep_offline_alive.HANDLER,
    run_ci_jobs.HANDLER,
    refresh_ecr.HANDLER,
    diagnose_image_pull.HANDLER,
    test_pull.HANDLER,
    pull_secret.HANDLER,
    push_tokens.HANDLER,
    refresh_uids.HANDLER,
    onboard_tokens.HANDLER,
    tokens_status.HANDLER,
    diagnose_redhat_auth.HANDLER,
    open_cie.HANDLER,
    contact_redhat.HANDLER,
    escalate_redhat_auth.HANDLER,
    runbook.HANDLER,
)
ALERT_HANDLERS: tuple[AlertHandler, ...] = (
    diagnose_redhat_auth.ALERT_HANDLER,
    offline_session.ALERT_HANDLER,
    diagnose_image_pull.ALERT_HANDLER,
)
