"""Which names announce a secret, and which only sound like it.

Rule 1: a name is judged by its words, never by a substring: `keyboard`, `compass` and `tokenizer` are harmless.
Rule 2: the last word decides: an `access_token` is a secret, an `access_token_ttl` is a lifetime.
Rule 3: a name with a secret word and an unknown ending is MAYBE: its value decides.
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache
from typing import Final


def _set_of(words: str) -> frozenset[str]:
    return frozenset(words.split())


class Naming(StrEnum):
    """What a name says about its value."""

    SECRET = "secret"  # noqa: S105 - a word, no password
    AUTHORIZATION = "authorization"  # a scheme, then credentials
    COOKIE = "cookie"  # pairs whose values are secrets
    CONTAINER = "container"  # secret as a plain value; an object below it is read member by member
    PAIR = "pair"  # a user name and a password side by side
    MAYBE = "maybe"
    HARMLESS = "harmless"  # known to be no secret, even below a secret's name
    UNKNOWN = "unknown"


_HEADS: Final = _set_of(
    "password passwords passwd passwds pwd pwds passphrase passphrases passcode passcodes pass pw psw pswd pword "
    "passwort passwörter kennwort motdepasse contraseña contrasena senha parola hasło haslo wachtwoord lösenord пароль "
    "密码 パスワード "
    "secret secrets token tokens tok otp otps totp hotp pin pins apikey apikeys jwt jwts bearer assertion "
    "mnemonic verifier privatekey accesskey secretkey"
)
_ENDINGS: Final = (
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "secret",
    "token",
    "apikey",
    "privatekey",
    "secretkey",
    "passwords",
    "secrets",
    "tokens",
    "apikeys",
)
_GLUED: Final = _set_of("dbpass userpass smtppass ftppass mypass rootpass adminpass dbpw userpw authpass")
_MERGED: Final = {
    ("pass", "word"): "password",
    ("pass", "words"): "passwords",
    ("pass", "wd"): "passwd",
    ("p", "wd"): "pwd",
    ("pass", "phrase"): "passphrase",
    ("pass", "code"): "passcode",
    ("api", "key"): "apikey",
    ("api", "keys"): "apikeys",
    ("de", "passe"): "motdepasse",
    ("o", "tp"): "otp",
}
_KEYS_OF: Final = _set_of(
    "api secret private access signing encryption decryption master shared account session subscription auth service "
    "functions function hmac root app application client keyturn storage sealing wrapping data aes rsa crypto"
)
_CODES_OF: Final = _set_of(
    "otp totp mfa fa twofactor factor pin sms auth authorization device user verification recovery backup security "
    "login time confirmation passcode pass email tan"
)
_ENDS_OF: Final = {
    "key": _KEYS_OF,
    "keys": _KEYS_OF,
    "code": _CODES_OF,
    "codes": _CODES_OF,
    "seed": _set_of("totp otp recovery wallet secret mfa"),
    "phrase": _set_of("recovery seed secret backup"),
    "answer": _set_of("secret security challenge"),
    "answers": _set_of("secret security challenge"),
}
_NOT_VERIFIERS: Final = frozenset({"verifier", "assertion"})  # secret only in RFC 7636 and RFC 7521 names
_HARMLESS_ENDS: Final = _set_of(
    "type types typ url urls uri uris endpoint endpoints ttl expires expiry expiration expire lifetime lifetimes at on "
    "age in count counts length len size id ids name names hint policy policies format kind method methods status "
    "hash hashes hashed fingerprint fingerprints thumbprint digest checksum sha md strength required changed "
    "change set enabled present valid version alg algorithm rotation rotated issuer audience seconds minutes hours "
    "days s ms sec date time timestamp created updated used min max location path file files field fields param "
    "parameter header expression source usage scope scopes label rule rules error errors limit window budget "
    "attempts attempt generation supported description title message reset autocomplete visible provider "
    "ref reference manager service server host port number exists state mode level question template prefix "
    "delimiter separator bucket class column placeholder response grant family jti kid iss aud sub exp iat"
)
_HARMLESS_STARTS: Final = _set_of(
    "has have is are was no needs need requires require allow allows use uses show hide can should must with without "
    "missing num max min total count supports support"
)
_HARMLESS_NAMES: Final = _set_of(
    "username user user_name login email scope scopes expires expires_in type kind id event status state code title "
    "detail name realm issuer audience subject sub iss aud exp iat nbf jti alg kid kty typ use size count length url "
    "uri created updated description msg message level logger error loc"
)
# Endings that make any name harmless, so that `secret.created_at` stays.
_PLAIN_ENDS: Final = _set_of(
    "at ttl type id ids url uri name version status count length expires lifetime age date timestamp seconds "
    "fingerprint"
)
# Words that say which copy or form of the secret it is, and change nothing.
_QUALIFIERS: Final = _set_of(
    "value values old new confirm confirmation confirmed repeat repeated again current previous raw plain plaintext "
    "text string str b64 base64 encoded encrypted input data json hex bytes clear cleartext primary secondary default "
    "first second next last final copy backup tmp temp bak prod dev test staging live base a b x y"
)
_PAIRS: Final = frozenset({"auth", "basicauth", "proxyauth", "httpauth"})
_CONTAINERS: Final = frozenset({"credential", "credentials", "creds", "cred"})

_WORD: Final = re.compile(r"[A-Z]+(?![^\W\d_A-Z])|[A-Z]?[^\W\d_A-Z]+|\d+")
_ENCODED: Final = re.compile(r"%(?:25)*(?:5[bBdDfF]|2[dDeE]|20)|\+")
_MAX_NAME: Final = 120


@lru_cache(maxsize=4096)
def judge_name(name: str) -> Naming:
    """Say what `name` announces, in any spelling (case, `-`, `_`, `.`, blanks, prefixes). Never raises."""
    if not name or len(name) > _MAX_NAME or "://" in name:
        return Naming.UNKNOWN
    words = _words(name)
    if not words:
        return Naming.UNKNOWN
    glued = "".join(words)
    if words[-1] in ("cookie", "cookies", "cookiejar") or glued in ("cookie2", "setcookie", "cookiejar"):
        return Naming.COOKIE
    if "authorization" in words[-2:] and words[-1] in ("authorization", "header", "value", "authorization"):
        return Naming.AUTHORIZATION
    if glued in _PAIRS:
        return Naming.PAIR
    if words[-1] in _CONTAINERS:
        return Naming.CONTAINER
    if "_".join(words) in _HARMLESS_NAMES:
        return Naming.HARMLESS
    naming = _judge_words(words)
    return Naming.HARMLESS if naming is Naming.UNKNOWN and words[-1] in _PLAIN_ENDS else naming


def _words(name: str) -> tuple[str, ...]:
    if "%" in name or "+" in name:
        name = _ENCODED.sub("_", name)
    pieces = [word.lower() for word in _WORD.findall(name)]
    while len(pieces) > 1 and pieces[-1].isdigit():
        pieces.pop()
    merged: list[str] = []
    for piece in pieces:
        pair = (merged[-1], piece) if merged else ("", piece)
        if pair in _MERGED:
            merged[-1] = _MERGED[pair]
        else:
            merged.append(piece)
    return tuple(merged)


def _judge_words(words: tuple[str, ...]) -> Naming:
    while len(words) > 1 and words[-1] in _QUALIFIERS and _has_secret(words[:-1]):
        words = words[:-1]
    if _is_secret_end(words):
        return Naming.HARMLESS if len(words) > 1 and words[0] in _HARMLESS_STARTS else Naming.SECRET
    if not _has_secret(words):
        return Naming.UNKNOWN
    return Naming.HARMLESS if words[-1] in _HARMLESS_ENDS or words[0] in _HARMLESS_STARTS else Naming.MAYBE


def _is_secret_end(words: tuple[str, ...]) -> bool:
    end = words[-1]
    if end in _NOT_VERIFIERS:
        return len(words) == 1 or words[-2] in ("code", "client")
    if end in _HEADS or end in _GLUED or end.endswith(_ENDINGS):
        return True
    if end in _ENDS_OF and len(words) > 1:
        return words[-2] in _ENDS_OF[end]
    glued = "".join(words)
    return glued in ("accesskey", "subscriptionkey", "otpcode", "mfacode") or _is_secret_with_qualifier(end)


def _is_secret_with_qualifier(word: str) -> bool:
    """`passwordconfirm` and its kin, written without a break."""
    for head in ("password", "passwd", "clientsecret", "accesstoken", "refreshtoken"):
        if word.startswith(head):
            return word[len(head) :] in _QUALIFIERS
    return False


def _has_secret(words: tuple[str, ...]) -> bool:
    return any(_is_secret_end(words[: i + 1]) for i in range(len(words)) if words[i] not in ("pass", "pin"))


def is_plural(name: str) -> bool:
    """Say whether `name` counts or lists things: a bare number under it is a count, not a secret."""
    return name.rstrip("\"'] ").lower().endswith("s") and not name.lower().endswith("pass")


PROSE_NAMES: Final = (
    r"pass[-_ ]?words?|passwd|pwd|pass[-_ ]?phrase|pass[-_ ]?code|secret|token|api[-_ ]?key|otp|pin|mfa code|"
    r"one[- ]time (?:code|password)|verification code|recovery code"
)
