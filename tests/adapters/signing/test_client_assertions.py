"""Assertions made with real keys and checked with their public halves."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from keyturn.adapters.client_assertions import JwtAssertions
from keyturn.core.errors import ConnectorClientMissing
from keyturn.core.secret import Secret
from tests.fakes.clock import FakeClock
from tests.fakes.entropy import FakeEntropy

RSA = rsa.generate_private_key(65_537, 2_048)
P256 = ec.generate_private_key(ec.SECP256R1())
PSS = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
PKCS1 = padding.PKCS1v15()


def pem(key: Any, form: PrivateFormat = PrivateFormat.PKCS8) -> str:
    """A key as PEM."""
    return str(key.private_bytes(Encoding.PEM, form, NoEncryption()).decode())


def number(value: int) -> str:
    """A JWK's number."""
    return base64.urlsafe_b64encode(value.to_bytes((value.bit_length() + 7) // 8, "big")).rstrip(b"=").decode()


def rsa_jwk(**more: str) -> str:
    """The RSA key as JWK."""
    numbers = RSA.private_numbers()
    parts = {"n": numbers.public_numbers.n, "e": numbers.public_numbers.e, "d": numbers.d, "p": numbers.p}
    parts |= {"q": numbers.q, "dp": numbers.dmp1, "dq": numbers.dmq1, "qi": numbers.iqmp}
    return json.dumps({"kty": "RSA", **{name: number(value) for name, value in parts.items()}, **more})


def ec_jwk(**more: str) -> str:
    """The P-256 key as JWK."""
    numbers = P256.private_numbers()
    parts = {"x": numbers.public_numbers.x, "y": numbers.public_numbers.y, "d": numbers.private_value}
    return json.dumps({"kty": "EC", "crv": "P-256", **{name: number(value) for name, value in parts.items()}, **more})


def verify(algorithm: str, message: bytes, signature: bytes) -> None:
    """Raise InvalidSignature where the signature is none."""
    if algorithm == "ES256":
        pair = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        P256.public_key().verify(encode_dss_signature(*pair), message, ec.ECDSA(hashes.SHA256()))
    else:
        how = PSS if algorithm == "PS256" else PKCS1
        RSA.public_key().verify(signature, message, how, hashes.SHA256())


@pytest.mark.parametrize(
    ("key", "algorithm", "key_id"),
    [
        pytest.param(pem(RSA), "RS256", None, id="RSA, PKCS 8"),
        pytest.param(pem(RSA, PrivateFormat.TraditionalOpenSSL), "RS256", None, id="RSA, PKCS 1"),
        pytest.param(pem(P256), "ES256", None, id="P-256"),
        pytest.param(pem(P256, PrivateFormat.TraditionalOpenSSL), "ES256", None, id="P-256, SEC 1"),
        pytest.param(pem(P256).replace("\n", " "), "ES256", None, id="on one line"),
        pytest.param(rsa_jwk(kid="k1"), "RS256", "k1", id="RSA as JWK"),
        pytest.param(rsa_jwk(alg="PS256"), "PS256", None, id="PSS, as the JWK says"),
        pytest.param(ec_jwk(kid="k2", alg="ES256"), "ES256", "k2", id="P-256 as JWK"),
    ],
)
def test_an_assertion(key: str, algorithm: str, key_id: str | None) -> None:
    """RFC 7523 section 3: who, to whom, until when, once; signed with the key."""
    clock = FakeClock()
    maker = JwtAssertions(clock, FakeEntropy())
    maker.check(Secret(key))
    first, second = (maker.sign(Secret(key), client_id="app", audience="https://as.example/token") for _ in range(2))
    head, claims, signature = (
        base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in first.reveal().split(".")
    )
    message = first.reveal().rpartition(".")[0].encode()
    said = json.loads(claims)

    assert {"alg": algorithm, "typ": "JWT"} | ({"kid": key_id} if key_id else {}) == json.loads(head)
    assert ("app", "app", "https://as.example/token") == (said["iss"], said["sub"], said["aud"])
    assert (int(clock.now()), int(clock.now()) + 120) == (said["iat"], said["exp"])
    verify(algorithm, message, signature)
    with pytest.raises(InvalidSignature):
        verify(algorithm, message + b"x", signature)
    assert first != second


ENCRYPTED = P256.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"canary")).decode()


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("canary", id="a password"),
        pytest.param("{canary", id="no JSON"),
        pytest.param('{"kty": "oct", "k": "canary"}', id="a symmetric key"),
        pytest.param(ec_jwk(alg="RS256"), id="an algorithm of another kind"),
        pytest.param(rsa_jwk(alg="RS512"), id="an algorithm that is not spoken"),
        pytest.param(pem(rsa.generate_private_key(65_537, 1_024)), id="too short"),  # noqa: S505  (the point)
        pytest.param(pem(ec.generate_private_key(ec.SECP384R1())), id="another curve"),
        pytest.param(pem(ed25519.Ed25519PrivateKey.generate()), id="another kind"),
        pytest.param(ENCRYPTED, id="encrypted"),
        pytest.param(pem(RSA) + pem(P256), id="two keys"),
        pytest.param("[" * 5_000, id="deep"),
    ],
)
def test_what_cannot_sign(key: str) -> None:
    """One error, which says nothing of it."""
    with pytest.raises(ConnectorClientMissing) as refused:
        JwtAssertions(FakeClock(), FakeEntropy()).check(Secret(key))

    assert "canary" not in str(refused.value)
