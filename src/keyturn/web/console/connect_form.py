"""The connect page's form as a picture: drawn by the one zone, shown by another that knows nothing of it."""

from __future__ import annotations

from typing import Protocol

from markupsafe import Markup

from keyturn.core.connector import Connector


class ConnectForm(Protocol):
    """Draws the form of a connector. `style`: for what is inside an element of the class `phone` alone."""

    @property
    def style(self) -> bytes:
        """A style sheet."""
        ...

    def __call__(self, connector: Connector) -> Markup:
        """The inputs, with nothing that could be sent."""
        ...
