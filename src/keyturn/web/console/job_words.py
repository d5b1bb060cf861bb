"""What a job is, in words: what is done, and with which connections."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from keyturn.engine.jobs.bulk.bulk_order import KIND as BULK
from keyturn.engine.jobs.bulk.bulk_order import BulkAction
from keyturn.engine.keys.rewrap import KIND as REWRAP
from keyturn.engine.mail.mails import KIND as MAIL
from keyturn.engine.operating.plan_anew import KIND as PLAN
from keyturn.engine.webhooks.deliver import KIND as DELIVER
from keyturn.ports.jobs import Job

_ACTIONS: Final[Mapping[BulkAction, str]] = MappingProxyType(
    {
        BulkAction.TEST: "Test",
        BulkAction.RENEW: "Renew",
        BulkAction.PAUSE: "Pause",
        BulkAction.RESUME: "Resume",
        BulkAction.DISCONNECT: "Disconnect",
        BulkAction.RECONNECT_LINKS: "Make reconnect links for",
        BulkAction.MIGRATE: "Move to another version",
    }
)
KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        BULK: "One action on many connections",
        REWRAP: "Re-seal under the current encryption key",
        DELIVER: "Deliver an event to a webhook",
        MAIL: "Send an e-mail",
        PLAN: "Plan renewals anew",
        "connection.watch": "Look for connections that end soon",
        "event.watch": "Hand events to webhooks",
        "audit.fold": "Fold routine records into one a day",
        "audit.verify": "Verify the audit log",
        "audit.cut": "Cut off audit records that are too old",
        "connection.purge": "Take away ended connections",
        "session.purge": "Take away ended connect links",
        "reply.purge": "Take away kept replies",
        "login.purge": "Take away counts of logins",
        "login_watch.purge": "Take away figures of logins",
        "challenge.purge": "Take away ended challenges",
        "call.purge": "Take away figures of calls",
        "link.purge": "Take away ended links of persons",
        "sign_in.purge": "Take away ended sessions of the console",
        "webhook.purge": "Take away old deliveries",
        "event.purge": "Take away old events",
        "job.purge": "Take away ended jobs",
    }
)
_STATES: Final[Mapping[str, str]] = MappingProxyType({"needs_reconnect": "needing a reconnect"})

_TIMES: Final[Mapping[str, str]] = MappingProxyType(
    {"ends_before": "that end", "renews_before": "whose renewal is due"}
)


def job_title(job: Job) -> str:
    """A heading that says what is done, and with what: "Test: connections of acme"."""
    if job.kind != BULK:
        return KINDS.get(job.kind, job.kind)
    words = _ACTIONS[BulkAction(job.arguments["action"])]
    ids = job.arguments.get("ids")
    if ids is not None:
        return f"{words}: {len(ids)} picked connection{'' if len(ids) == 1 else 's'}"
    return f"{words}: {_which(job.arguments['filter'])}"


def _which(chosen: Mapping[str, Any]) -> str:
    given = {name: str(value) for name, value in chosen.items() if value}
    words = ["connections" if given else "all connections"]
    if "connector" in given:
        words.append(f"of {given['connector']}")
    if "owner" in given:
        words.append(f"of owner {given['owner']}")
    if "state" in given:
        words.append(_STATES.get(given["state"], f"that are {given['state'].replace('_', ' ')}"))
    if "reason" in given:
        words.append(f"because of {given['reason']}")
    if "error" in given:
        words.append(f"with {given['error']}")
    if "attention" in given:
        words.append("that need attention")
    if "search" in given:
        words.append(f"that begin with “{given['search']}”")
    words += [f"{verb} before {_minute(chosen[name])}" for name, verb in _TIMES.items() if name in given]
    return " ".join(words)


def _minute(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
