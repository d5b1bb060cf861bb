"""ID tokens checked by joserfc: the signature by the provider's keys, then every claim that says whose token it is.

Rule 1: only signatures by key pairs: no `none`, and no HS…, for which a public key would do as the secret.
Rule 2: of a key set only the keys that can sign are looked at; one that can't be read is left out.
Rule 3: no message repeats anything of the token.

Sources: OpenID Connect Core 1.0 section 3.1.3.7; RFC 7515, 7517, 7519; RFC 8725 sections 3.1, 3.2 and 3.11.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import ExpiredTokenError, InvalidClaimError, InvalidKeyIdError, JoseError, MissingClaimError
from joserfc.jwk import ECKey, Key, KeySet, RSAKey, import_key
from joserfc.jws import JWSRegistry

from keyturn.core.errors import OpenIdAnswerInvalid
from keyturn.core.secret import Secret
from keyturn.ports.access.openid import ExpectedToken, IdTokenKeyUnknown

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
LEEWAY_S: Final = 60
LEAST_RSA_BITS: Final = 2_048
MOST_KEYS: Final = 50
LONGEST_TOKEN: Final = 65_536
LONGEST_SUBJECT: Final = 255


class JoseIdTokens:
    """An `IdTokens`."""

    def verify(self, token: Secret, keys: Mapping[str, Any], expected: ExpectedToken) -> Mapping[str, Any]:
        """As `IdTokens.verify`."""
        text = token.reveal()
        if len(text) > LONGEST_TOKEN:
            raise OpenIdAnswerInvalid("The ID token is too long.")
        usable = _usable(keys)
        if not usable:
            raise IdTokenKeyUnknown
        registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
        try:
            found = jwt.decode(text, KeySet(usable), algorithms=ALGORITHMS, registry=registry)
        except InvalidKeyIdError:
            raise IdTokenKeyUnknown from None
        except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise OpenIdAnswerInvalid("The ID token's signature can't be verified.") from None
        kind = found.header.get("typ", "JWT")
        if not isinstance(kind, str) or kind.lower() != "jwt":
            raise OpenIdAnswerInvalid("The token is of another kind than an ID token.")
        _check(found.claims, expected)
        return found.claims


def _check(claims: dict[str, Any], expected: ExpectedToken) -> None:
    registry = jwt.JWTClaimsRegistry(
        now=int(expected.now),
        leeway=LEEWAY_S,
        iss={"essential": True, "value": expected.issuer},
        aud={"essential": True, "value": expected.client_id},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
        nonce={"essential": True, "value": expected.nonce},
    )
    try:
        registry.validate(claims)
    except ExpiredTokenError:
        raise OpenIdAnswerInvalid("The ID token has expired; is the clock of this machine right?") from None
    except (InvalidClaimError, MissingClaimError) as error:
        wrong = next((name for name in ("iss", "aud", "nonce", "iat", "exp", "sub") if name in error.claim), "a claim")
        raise OpenIdAnswerInvalid(f"The ID token's {wrong} is not what it has to be.") from None
    audience, party = claims["aud"], claims.get("azp")
    if party != expected.client_id and (party is not None or (isinstance(audience, list) and len(audience) > 1)):
        raise OpenIdAnswerInvalid("The ID token's azp is not what it has to be.")
    if not isinstance(claims["nonce"], str) or not 0 < len(claims["sub"]) <= LONGEST_SUBJECT:
        raise OpenIdAnswerInvalid("The ID token's sub is not what it has to be.")


def _usable(keys: Mapping[str, Any]) -> list[Key]:
    listed = keys.get("keys")
    found: list[Key] = []
    for each in listed[:MOST_KEYS] if isinstance(listed, list) else ():
        if not isinstance(each, dict) or each.get("kty") not in ("RSA", "EC") or each.get("use", "sig") != "sig":
            continue
        try:
            key = import_key(each)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError):
            continue
        if isinstance(key, ECKey) or (isinstance(key, RSAKey) and key.public_key.key_size >= LEAST_RSA_BITS):
            found.append(key)
    return found
