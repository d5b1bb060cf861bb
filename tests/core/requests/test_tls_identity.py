"""`tls` of a connector: what may stand there, and what it comes to for a connection."""

from __future__ import annotations

from typing import Any

import pytest

from keyturn.core.requests.tls_identity import tls_identity
from keyturn.core.secret import Secret
from tests.core.connector_files import changed, faults, read
from tests.core.reading_strategies import PEM

FIELDS = [
    {"key": "own_ca", "label": "Authority"},
    {"key": "pair", "label": "Certificate and key", "type": "secret"},
    {"key": "once", "label": "Once", "type": "secret", "keep": "never"},
]


def with_tls(tls: dict[str, Any]) -> dict[str, Any]:
    """The smallest connector with fields and this."""
    return changed(("fields", FIELDS), ("tls", tls))


@pytest.mark.parametrize(
    ("tls", "expected"),
    [
        pytest.param({"ca": PEM}, [], id="an authority in the file"),
        pytest.param({"ca": PEM * 3}, [], id="several"),
        pytest.param({"ca": "{{ own_ca }}", "client_certificate": "{{ pair }}"}, [], id="fields"),
        pytest.param({"client_certificate": "{{ client_secret }}"}, [], id="the operator's"),
        pytest.param({"ca": "MIIB"}, [("/tls/ca", "wrong_value")], id="no PEM"),
        pytest.param(
            {"ca": PEM + PEM.replace("CERTIFICATE", "PRIVATE KEY")}, [("/tls/ca", "wrong_value")], id="a key with it"
        ),
        pytest.param({"client_certificate": PEM}, [("/tls/client_certificate", "wrong_value")], id="a key in the file"),
        pytest.param(
            {"client_certificate": "{{ own_ca }}"}, [("/tls/client_certificate", "wrong_value")], id="a plain field"
        ),
        pytest.param(
            {"client_certificate": "{{ pair | trim }}"}, [("/tls/client_certificate", "wrong_value")], id="a filter"
        ),
        pytest.param({"ca": "x{{ own_ca }}"}, [("/tls/ca", "wrong_value")], id="text around it"),
        pytest.param({"ca": "{{ username }}"}, [("/tls/ca", "wrong_value")], id="another value"),
        pytest.param({"ca": "{{ nothing }}"}, [("/tls/ca", "unknown_name")], id="an unknown name"),
        pytest.param(
            {"client_certificate": "{{ once }}"},
            [("/tls/client_certificate", "secret_not_allowed_here"), ("/tls/client_certificate", "wrong_value")],
            id="a field that is not kept",
        ),
        pytest.param({"key": "x"}, [("/tls/key", "unknown_key")], id="another key"),
    ],
)
def test_what_may_stand_there(tls: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    """Certificates, or one whole value that is there for every request."""
    assert expected == faults(with_tls(tls))


def test_what_it_comes_to() -> None:
    """The same values make the same identity; others, or none, another one, and absent ones never the default."""
    connector = read(with_tls({"ca": "{{ own_ca }}", "client_certificate": "{{ pair }}"}))
    values = {"own_ca": PEM, "pair": Secret("canary")}
    one, same = tls_identity(connector, values), tls_identity(connector, dict(values))
    other, absent = tls_identity(connector, {**values, "pair": Secret("b")}), tls_identity(connector, {})
    assert one is not None
    assert other is not None
    assert absent is not None

    assert (PEM, Secret("canary")) == (one.ca, one.client_certificate)
    assert one == same
    assert 3 == len({one.name, other.name, absent.name})
    assert ("", Secret("")) == (absent.ca, absent.client_certificate)
    assert "canary" not in repr(one) + one.name


def test_without_it() -> None:
    """Nothing, also where the key is there and empty."""
    assert tls_identity(read(changed()), {}) is None
    assert tls_identity(read(changed(("tls", {}))), {}) is None
