"""A key of the transit engine of HashiCorp Vault or OpenBao: `vault:https://HOST:PORT/MOUNT/KEY?token_file=PATH`.

Rule 1: the token is read from a file, which an agent may write anew, or from a variable: no secret stands in a setting.
Rule 2: the service is the operator's own, often in a private network, and its address is a setting that no connector
can name; so it is dialled here and not through the egress, whose address check is about providers. https, or plain
http to this machine, where an agent listens; no redirect, no proxy of the environment, no cookie.
Rule 3: the context goes along as associated data, so the key has to be of an AEAD kind (aes256-gcm96, the default).
Rule 4: the service's numbered text is stored as its bytes: base64 has texts that differ and say the same.
Rule 5: of what the service says in a failure, nothing is repeated.

Source: the transit engine's API, "Encrypt data" and "Decrypt data".
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import aiohttp

from keyturn.adapters.sealing.wrapped_key import (
    for_service,
    from_service,
    key_id_of,
    service_key_fingerprint,
    service_key_name,
)
from keyturn.adapters.tls_rules import certificate_fault, machine_context, own_context
from keyturn.core.errors import KeyUnavailable, SealBroken, SettingsInvalid, WrongKey
from keyturn.core.secret import Secret

TIMEOUT: Final = aiohttp.ClientTimeout(total=10.0, connect=5.0)
MAX_ANSWER_BYTES: Final = 65_536
_FORM: Final = "vault:https://HOST:PORT/MOUNT/KEY?token_file=PATH (or token_env=NAME; also namespace=, ca=, name=)"
_OPTIONS: Final = frozenset({"token_file", "token_env", "namespace", "ca", "name"})
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_CIPHERTEXT: Final = re.compile(r"vault:v([0-9]{1,9}):([A-Za-z0-9+/]+={0,2})")
_VERSION_BYTES: Final = 4


class VaultTransitKey:
    """One key of a transit engine."""

    provider: Final = "vault"

    def __init__(self, url: str, *, environ: Mapping[str, str]) -> None:
        """Read where the key is; nothing is asked yet.

        Args:
            url: what stands behind `vault:` in the setting.
            environ: the process's environment, for `token_env`.

        Raises:
            SettingsInvalid: the URL is of another form, or there is no token.
        """
        parts, options = _parts_of(url)
        mount, _, key = parts.path.strip("/").rpartition("/")
        self._base = f"{parts.scheme}://{parts.netloc}/v1/{mount}"
        self._key = key
        address = options.get("name") or f"vault {parts.netloc}/{options.get('namespace', '')}/{mount}/{key}"
        self._name, self._fingerprint = service_key_name(address), service_key_fingerprint(address)
        self._namespace = options.get("namespace")
        self._ca = options.get("ca")
        self._token_file = Path(options["token_file"]) if "token_file" in options else None
        token = environ.get(options.get("token_env", ""), "")
        self._token = Secret(token) if token else None
        self._session: aiohttp.ClientSession | None = None
        if self._token_file is None and self._token is None:
            raise SettingsInvalid(f"a key of Vault needs a token, by file or by variable: {_FORM}")

    def __repr__(self) -> str:
        return f"VaultTransitKey({self.key_id})"

    @property
    def key_id(self) -> str:
        """Follows from host, mount and key, or from `name=` where the setting has one."""
        return key_id_of(self._name)

    def fingerprint(self) -> str:
        """Follows from the same; a key of the same name elsewhere is told by what it can't open."""
        return self._fingerprint

    async def wrap(self, data_key: bytes, context: bytes) -> bytes:
        """Encrypt it."""
        data = await self._ask("encrypt", plaintext=_base64(data_key), associated_data=_base64(context))
        found = _CIPHERTEXT.fullmatch(str(data.get("ciphertext")))
        if found is None:
            raise KeyUnavailable("Vault gave an answer that can't be read")
        return from_service(self._name, int(found[1]).to_bytes(_VERSION_BYTES) + base64.b64decode(found[2]))

    async def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Decrypt it."""
        answered = for_service(self._name, wrapped)
        if len(answered) <= _VERSION_BYTES:
            raise SealBroken("a wrapped data key can't be opened")
        version = int.from_bytes(answered[:_VERSION_BYTES])
        ciphertext = f"vault:v{version}:{_base64(answered[_VERSION_BYTES:])}"
        data = await self._ask("decrypt", ciphertext=ciphertext, associated_data=_base64(context))
        try:
            return base64.b64decode(str(data.get("plaintext")), validate=True)
        except (binascii.Error, ValueError):
            raise KeyUnavailable("Vault gave an answer that can't be read") from None

    async def close(self) -> None:
        """End its connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _ask(self, verb: str, **body: str) -> Mapping[str, Any]:
        url = f"{self._base}/{verb}/{self._key}"
        try:
            async with self._client().post(
                url, json=body, headers=self._headers(), allow_redirects=False, timeout=TIMEOUT
            ) as answer:
                text = await _bounded(answer)
                if answer.status != 200:
                    raise _failure(answer.status, text)
                document = _document(text)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            fault = certificate_fault(error)
            why = f"its certificate was refused: {fault}" if fault else type(error).__name__
            raise KeyUnavailable(f"Vault can't be asked: {why}") from None
        data = document.get("data")
        if not isinstance(data, Mapping):
            raise KeyUnavailable("Vault gave an answer that can't be read")
        return data

    def _headers(self) -> dict[str, str]:
        token = self._token
        if self._token_file is not None:
            try:
                token = Secret(self._token_file.read_text(encoding="ascii").strip())
            except (OSError, UnicodeError):
                raise KeyUnavailable("the file with Vault's token can't be read") from None
        headers = {"X-Vault-Token": token.reveal() if token is not None else "", "X-Vault-Request": "true"}
        return headers | ({"X-Vault-Namespace": self._namespace} if self._namespace else {})

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            context = machine_context() if self._ca is None else own_context(file=self._ca)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=context, limit=16),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._session


def _parts_of(url: str) -> tuple[Any, dict[str, str]]:
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    fits = (
        parts.hostname
        and "@" not in parts.netloc
        and not parts.fragment
        and re.fullmatch(r"(/[A-Za-z0-9._-]+){2,6}", parts.path)
        and options.keys() <= _OPTIONS
        and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK))
    )
    if not fits or ".." in parts.path:
        raise SettingsInvalid(f"a key of Vault is named as {_FORM}; plain http only to this machine")
    return parts, options


def _failure(status: int, text: bytes) -> Exception:
    if status == 400 and b"encryption key not found" in text:
        return WrongKey("Vault has no such key")
    if status == 400:
        return SealBroken("a wrapped data key can't be opened")
    return KeyUnavailable(f"Vault answered with status {status}")


async def _bounded(answer: aiohttp.ClientResponse) -> bytes:
    found = bytearray()
    async for piece in answer.content.iter_any():
        found += piece
        if len(found) > MAX_ANSWER_BYTES:
            raise KeyUnavailable("Vault gave an answer that can't be read")
    return bytes(found)


def _document(text: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    return found if isinstance(found, Mapping) else {}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
