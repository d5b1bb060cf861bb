"""What the mails say.

Rule 1: ids, names, codes and what to do; never a secret, a connect link, or a text of a provider but a connection's
name.
Rule 2: a name is one line of visible characters: nothing in it can make another line or header.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from keyturn.core.connection import Connection
from keyturn.core.events.event import Event, time_text
from keyturn.core.explain import cause_text, code_text
from keyturn.core.problems import PROBLEMS
from keyturn.ports.mail import Mail
from keyturn.ports.webhooks.endpoints import Endpoint

NAMED: Final = 50
LONGEST_NAME: Final = 80
_CONTROL: Final = "\N{REPLACEMENT CHARACTER}"


def needs_reconnect(connector: str, found: Sequence[Connection], public_url: str) -> Mail:
    """Connections of one connector that need their person."""
    lines = [
        f"{_count(found)} of {connector} cannot go on without the person whose account it is:",
        "",
        *_rows(found, lambda each: f"{each.reason or 'unknown'}: {cause_text(each.reason)}"),
        "",
        "What to do: send each person a reconnect link of their own.",
        "  keyturn connection why CONNECTION        says more",
        "  keyturn connection reconnect CONNECTION  makes the link",
    ]
    return _mail(f"{_count(found)} of {connector} need a person", lines, public_url)


def expiring(connector: str, found: Sequence[Connection], public_url: str) -> Mail:
    """Connections of one connector that end within 72 hours."""
    lines = [
        f"{_count(found)} of {connector} will end and cannot renew by themselves:",
        "",
        *_rows(found, _ends),
        "",
        "What to do: send each person a reconnect link before that.",
        "  keyturn connection reconnect CONNECTION",
    ]
    return _mail(f"{_count(found)} of {connector} will end soon", lines, public_url)


def _ends(connection: Connection) -> str:
    """When: of one that is still refreshed it is not the access token's end that counts."""
    ends = connection.refresh_expires_at if connection.refreshable else connection.expires_at
    return "" if ends is None else f"ends {time_text(ends)}"


def audit_failed(event: Event, public_url: str) -> Mail:
    """The audit log is not what was written."""
    lines = [
        "The daily verification found that the audit log is not what was written.",
        f"Found: {time_text(event.at)}" + (f", {event.object}" if event.object else ""),
        "",
        "What to do: keep the database as it is, and see what is wrong with",
        "  keyturn audit verify",
    ]
    return _mail("the audit log failed its verification", lines, public_url)


def webhook_disabled(event: Event, endpoint: Endpoint | None, public_url: str) -> Mail:
    """An endpoint was disabled by itself."""
    described = f" ({_clean(endpoint.description)})" if endpoint is not None and endpoint.description else ""
    lines = [
        f"The webhook {event.object}{described} was disabled: {_reason(event.code)}",
        "Nothing is delivered to it until it is enabled again.",
        "",
        "What to do:",
        f"  keyturn webhook deliveries {event.object}        says what came of the last tries",
        f"  keyturn webhook test {event.object}              tries the receiver",
        f"  keyturn webhook enable {event.object}            takes it up again",
    ]
    return _mail("a webhook was disabled", lines, public_url)


def connector_degraded(event: Event, public_url: str) -> Mail:
    """A connector's provider fails, or its set-up is wrong."""
    known = PROBLEMS.get(event.code or "")
    lines = [
        f"Sends to the provider of {event.connector} fail: {_reason(event.code)}",
        "",
        f"What to do: {known.action_here()}" if known is not None else "What to do: see the log.",
        f"  keyturn connection list --connector {event.connector}",
    ]
    return _mail(f"the connector {event.connector} is in trouble", lines, public_url)


def _mail(subject: str, lines: Sequence[str], public_url: str) -> Mail:
    text = "\n".join([*lines, "", f"-- \nkeyturn at {public_url}", ""])
    return Mail(f"keyturn: {_clean(subject)}", text)


def _count(found: Sequence[Connection]) -> str:
    return "1 connection" if len(found) == 1 else f"{len(found)} connections"


def _rows(found: Sequence[Connection], say: Callable[[Connection], str]) -> list[str]:
    rows = [f"  {each.id}  {_clean(each.name)}: {say(each)}" for each in found[:NAMED]]
    if len(found) > NAMED:
        rows.append(f"  and {len(found) - NAMED} more")
    return rows


def _reason(code: str | None) -> str:
    text = code_text(code or "")
    return f"{code}: {text}" if text is not None else (code or "unknown")


def _clean(text: str) -> str:
    shown = "".join(each if each.isprintable() else _CONTROL for each in text)
    return shown if len(shown) <= LONGEST_NAME else f"{shown[: LONGEST_NAME - 1]}…"
