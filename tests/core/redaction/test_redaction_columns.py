"""Tables in texts: cells below the name of a secret."""

from __future__ import annotations

import pytest

from keyturn.core.redaction.columns import mask_columns


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("user,password\nana,Zebra-7\nben,", "user,password\nana,***\nben,", id="commas"),
        pytest.param("user;Client Secret;n\r\nana;Zebra-7;5\r\n", "user;Client Secret;n\r\nana;***;5\r\n", id="crlf"),
        pytest.param("user\tpwd\nana\tZebra-7", "user\tpwd\nana\t***", id="tabs"),
        pytest.param('"user","pwd"\n"a,b","x,""y"', '"user","pwd"\n"a,b",***', id="quoted-cells"),
        pytest.param("user,token_type\nana,Bearer", "user,token_type\nana,Bearer", id="harmless-column"),
        pytest.param("user,password\nana,Zebra,7", "user,password\nana,Zebra,7", id="another-number-of-cells"),
        pytest.param("user,password\n\nana,Zebra-7", "user,password\n\nana,Zebra-7", id="not-right-below"),
        pytest.param("user,password", "user,password", id="head-alone"),
    ],
)
def test_cells_below_a_secret_name_are_hidden(text: str, shown: str) -> None:
    """Cells of a secret's column are hidden, down to the first line that is none of the table's."""
    assert shown == mask_columns(text, [])
