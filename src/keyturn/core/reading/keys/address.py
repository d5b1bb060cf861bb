"""The header in which a login passes the end user's address on.

Source: the connector format, "client_address_header".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from keyturn.core.format.expressions import HEADER_NAME
from keyturn.core.reading.codes import Fault
from keyturn.core.reading.names import Names
from keyturn.core.reading.shapes import Absent, Cursor, Reading, Schema
from keyturn.core.reading.values import Text
from keyturn.core.requests.client_address import may_carry


class _AddressHeader:
    """A header's name, but none that means something else to a server or on the way to it."""

    text: Final = Text("a header's name", 100, pattern=HEADER_NAME.pattern, form="such as X-Forwarded-For")

    def read(self, at: Cursor) -> object:
        """Take the name."""
        name = self.text.read(at)
        if isinstance(name, Absent) or may_carry(str(name)):
            return name
        return at.fault(Fault.WRONG_VALUE, "expected a header for an address; this one means something else")

    def schema(self) -> Schema:
        """Describe the name."""
        return self.text.schema()


ADDRESS_HEADER: Final = _AddressHeader()


def judge_address_header(reading: Reading, _names: Names, tree: Mapping[str, Any]) -> None:
    """A request of the login must not write the same header itself: a provider would read two."""
    header = tree.get("client_address_header")
    if not isinstance(header, str):
        return
    for pointer, request in _login_requests(tree):
        if any(name.lower() == header.lower() for name in request.get("headers", ())):
            message = "client_address_header writes this header; take it out here"
            reading.fault(f"{pointer}/headers", Fault.CONTRADICTION, message, at_key=True)


def _login_requests(tree: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    token = tree.get("token", {})
    yield "/token", token
    for number, each in enumerate(token.get("before", ())):
        yield f"/token/before/{number}", each
    for number, challenge in enumerate(tree.get("challenges", ())):
        for key in ("then", "resend"):
            yield f"/challenges/{number}/{key}", challenge.get(key, {})
