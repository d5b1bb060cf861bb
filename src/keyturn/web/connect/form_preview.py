"""The form as a person would see it, for the author of a connector: by the templates of the page itself.

Rule 1: it is a picture. It has no form and no button, so nothing that is typed into it could go anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from markupsafe import Markup

from keyturn.core.connector import Connector, FieldType
from keyturn.core.urls.public_suffixes import PublicSuffixes
from keyturn.web.connect.connector_view import ConnectorView
from keyturn.web.connect.inputs import inputs_for
from keyturn.web.connect.rendering import environment
from keyturn.web.connect.texts.wording import LANGUAGES
from keyturn.web.kit.static_files import FOLDER

_ROOTS: Final = ((":root", ":scope"), ("body {", ":scope {"))


def _scoped() -> bytes:
    text = (FOLDER / "connect.css").read_text(encoding="utf-8")
    for old, new in _ROOTS:
        text = text.replace(old, new)
    return f"@scope (.phone) {{\n{text}\n}}\n".encode()


_STYLE: Final = _scoped()


@dataclass(frozen=True, slots=True)
class FormPreview:
    """Draws it. `style`: the page's style sheet, for what is inside an element of the class `phone` alone."""

    suffixes: PublicSuffixes
    style: bytes = field(default=_STYLE, repr=False)

    def __call__(self, connector: Connector) -> Markup:
        """The inputs of a connector, those that decide the host first, as on their page of their own."""
        view = ConnectorView(connector, 0, None, self.suffixes)
        further = view.further_fields
        text = (
            environment()
            .get_template("form_preview.html")
            .render(
                say=LANGUAGES["en"],
                provider=connector.title,
                connector=connector,
                details=inputs_for(view.deciding_fields, None, {}),
                inputs=inputs_for(further, None, {}),
                seed=next((each for each in further if each.type is FieldType.TOTP_SEED), None),
                messages={},
                username="",
                username_mode=None,
                keep_password=False,
                keep_totp_seed=False,
            )
        )
        return Markup(text)  # noqa: S704  (made by templates that escape)
