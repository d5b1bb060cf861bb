"""Client assertions, signed: a JWT of few claims, and the operator's key as PEM or JWK.

Rule 1: what a key is good for is said by the key: RSA signs RS256, or PS256 where its JWK says so; P-256 signs ES256.
Rule 2: an assertion is made for one request: its id is new, and it ends soon.
Rule 3: no message says anything of a key but that it can't be used.

Sources: RFC 7523 sections 2.2 and 3; RFC 7515 to 7518; RFC 7468 for PEM.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from keyturn.core.errors import ConnectorClientMissing
from keyturn.core.secret import Secret
from keyturn.ports.clock import Clock, Entropy

LIVES_S: Final = 120
LEAST_RSA_BITS: Final = 2_048
_PEM: Final = re.compile(r"-----BEGIN ([A-Z ]{1,32})-----([A-Za-z0-9+/=\s]+)-----END \1-----", re.ASCII)
_KEYS: Final = frozenset({"PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"})
_P256_BYTES: Final = 32

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True, repr=False)
class _Signer:
    key: PrivateKey
    algorithm: str
    key_id: str | None

    def sign(self, message: bytes) -> bytes:
        digest = hashes.SHA256()
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            pair = decode_dss_signature(self.key.sign(message, ec.ECDSA(digest)))
            return b"".join(number.to_bytes(_P256_BYTES, "big") for number in pair)
        if self.algorithm == "PS256":
            return self.key.sign(message, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        return self.key.sign(message, padding.PKCS1v15(), digest)


class JwtAssertions:
    """Makes them. A `ClientAssertions`."""

    def __init__(self, clock: Clock, entropy: Entropy) -> None:
        self._clock = clock
        self._entropy = entropy

    def check(self, key: Secret) -> None:
        """As `ClientAssertions.check`."""
        _read(key)

    def sign(self, key: Secret, *, client_id: str, audience: str) -> Secret:
        """As `ClientAssertions.sign`."""
        signer = _read(key)
        now = int(self._clock.now())
        head: dict[str, Any] = {"alg": signer.algorithm, "typ": "JWT"}
        if signer.key_id is not None:
            head["kid"] = signer.key_id
        claims = {
            "iss": client_id,
            "sub": client_id,
            "aud": audience,
            "jti": self._entropy.token(16),
            "iat": now,
            "exp": now + LIVES_S,
        }
        message = f"{_encoded(_json(head))}.{_encoded(_json(claims))}"
        return Secret(f"{message}.{_encoded(signer.sign(message.encode('ascii')))}")


def _read(key: Secret) -> _Signer:
    text = key.reveal()
    try:
        signer = _from_jwk(json.loads(text)) if text.lstrip().startswith("{") else _from_pem(text)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, UnsupportedAlgorithm):
        raise ConnectorClientMissing from None
    private = signer.key
    good = (
        isinstance(private.curve, ec.SECP256R1)
        if isinstance(private, ec.EllipticCurvePrivateKey)
        else private.key_size >= LEAST_RSA_BITS
    )
    if not good:
        raise ConnectorClientMissing
    return signer


def _from_pem(text: str) -> _Signer:
    """The one private key in it; certificates may stand beside. Line ends may have been lost in a form."""
    (kind, body), *more = [(kind, "".join(body.split())) for kind, body in _PEM.findall(text) if kind in _KEYS]
    if more:
        raise ValueError
    lines = [f"-----BEGIN {kind}-----", *re.findall(".{1,64}", body), f"-----END {kind}-----", ""]
    return _signer(load_pem_private_key("\n".join(lines).encode("ascii"), password=None), None, None)


def _from_jwk(jwk: dict[str, Any]) -> _Signer:
    key: PrivateKey
    if jwk["kty"] == "EC" and jwk["crv"] == "P-256":
        public = ec.EllipticCurvePublicNumbers(_number(jwk["x"]), _number(jwk["y"]), ec.SECP256R1())
        key = ec.EllipticCurvePrivateNumbers(_number(jwk["d"]), public).private_key()
    elif jwk["kty"] == "RSA":
        parts = {name: _number(jwk[name]) for name in ("p", "q", "d", "dp", "dq", "qi")}
        numbers = rsa.RSAPublicNumbers(_number(jwk["e"]), _number(jwk["n"]))
        key = rsa.RSAPrivateNumbers(
            parts["p"], parts["q"], parts["d"], parts["dp"], parts["dq"], parts["qi"], numbers
        ).private_key()
    else:
        raise ValueError
    key_id = jwk.get("kid")
    return _signer(key, jwk.get("alg"), key_id if isinstance(key_id, str) else None)


def _signer(key: object, algorithm: object, key_id: str | None) -> _Signer:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        if algorithm in (None, "ES256"):
            return _Signer(key, "ES256", key_id)
    elif isinstance(key, rsa.RSAPrivateKey) and algorithm in (None, "RS256", "PS256"):
        return _Signer(key, str(algorithm or "RS256"), key_id)
    raise ValueError


def _number(text: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("utf-8")


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
