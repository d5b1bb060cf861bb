"""Whose certificate is trusted by a connection's requests, and which one they show.

Rule 1: what is absent or unreadable never falls back to what others trust: the connection fails instead.
Rule 2: an identity has a name by which connections are told apart; the name says nothing of what is in it.

Source: the connector format, "tls: {ca, client_certificate}"; RFC 8705 for client certificates.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from keyturn.core.connector import Connector
from keyturn.core.errors import ValueAbsent
from keyturn.core.messages import TlsIdentity
from keyturn.core.requests.request_text import written
from keyturn.core.secret import Secret
from keyturn.core.templates import Template


def tls_identity(connector: Connector, values: Mapping[str, object]) -> TlsIdentity | None:
    """What a connector's `tls` comes to with these values; None where it says nothing."""
    if connector.tls is None:
        return None
    ca, certificate = (_text(each, values) for each in (connector.tls.ca, connector.tls.client_certificate))
    name = hashlib.sha256("\0".join(repr(each) for each in (ca, certificate)).encode("utf-8", "replace")).hexdigest()
    return TlsIdentity(name, ca, None if certificate is None else Secret(certificate))


def _text(template: Template | None, values: Mapping[str, object]) -> str | None:
    """The text; empty, which no certificate is, where a value is not there."""
    if template is None:
        return None
    try:
        return written(template, values).text()
    except ValueAbsent:
        return ""
