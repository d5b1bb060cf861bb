"""A key of AWS KMS: `awskms:KEY-ARN`, with `?endpoint=URL` for another address of the service.

Rule 1: a key is named by its ARN, not by an alias: an alias may be put on another key, and then nothing opens.
Rule 2: credentials, profile and proxies are found as every program of AWS finds them; none of them stands in a setting.
Rule 3: the context is the encryption context, hashed: KMS writes it into CloudTrail, where no id of ours belongs.
Rule 4: botocore is loaded when such a key is named, and not before; it works in threads, as it has no coroutines.

Source: the API reference of AWS KMS, Encrypt and Decrypt.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import importlib.util
import re
from typing import Any, Final

from keyturn.adapters.sealing.wrapped_key import (
    for_service,
    from_service,
    key_id_of,
    service_key_fingerprint,
    service_key_name,
)
from keyturn.core.errors import KeyUnavailable, SealBroken, SettingsInvalid, WrongKey

CONNECT_TIMEOUT_S: Final = 5
ANSWER_TIMEOUT_S: Final = 10
_ARN: Final = re.compile(r"arn:[a-z0-9-]+:kms:(?P<region>[a-z0-9-]+):[0-9]{12}:key/[A-Za-z0-9-]{1,64}")
_BROKEN: Final = frozenset({"InvalidCiphertextException"})
_WRONG: Final = frozenset({"IncorrectKeyException", "NotFoundException", "InvalidKeyUsageException"})


class AwsKmsKey:
    """One key of KMS."""

    provider: Final = "awskms"

    def __init__(self, arn: str, *, endpoint: str | None = None) -> None:
        """Name the key; nothing is asked yet.

        Raises:
            SettingsInvalid: it is no ARN of a key, or botocore is not installed.
        """
        found = _ARN.fullmatch(arn)
        if found is None:
            raise SettingsInvalid("awskms: takes the ARN of a key, arn:aws:kms:REGION:ACCOUNT:key/ID (no alias)")
        if importlib.util.find_spec("botocore") is None:
            raise SettingsInvalid("KEYTURN_KEYS names a key of AWS KMS, which needs: pip install 'keyturn[aws]'")
        self._arn = arn
        self._region = found["region"]
        self._endpoint = endpoint
        self._name = service_key_name(arn)
        self._made: Any = None

    def __repr__(self) -> str:
        return f"AwsKmsKey({self.key_id})"

    @property
    def key_id(self) -> str:
        """Follows from the ARN."""
        return key_id_of(self._name)

    def fingerprint(self) -> str:
        """Follows from the ARN: a key of KMS never leaves it, and an ARN never names another."""
        return service_key_fingerprint(self._arn)

    async def wrap(self, data_key: bytes, context: bytes) -> bytes:
        """Encrypt it."""
        answer = await self._ask("encrypt", Plaintext=data_key, **self._about(context))
        return from_service(self._name, answer["CiphertextBlob"])

    async def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Decrypt it."""
        blob = for_service(self._name, wrapped)
        answer = await self._ask("decrypt", CiphertextBlob=blob, **self._about(context))
        found: bytes = answer["Plaintext"]
        return found

    def _about(self, context: bytes) -> dict[str, Any]:
        return {"KeyId": self._arn, "EncryptionContext": {"keyturn": hashlib.sha256(context).hexdigest()}}

    async def _ask(self, operation: str, **arguments: Any) -> Any:
        return await asyncio.to_thread(self._answer, operation, arguments)

    def _answer(self, operation: str, arguments: dict[str, Any]) -> Any:
        errors = importlib.import_module("botocore.exceptions")
        try:
            return getattr(self._client(), operation)(**arguments)
        except errors.ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in _BROKEN:
                raise SealBroken("a wrapped data key can't be opened") from None
            if code in _WRONG:
                raise WrongKey("AWS KMS has no such key, or it is one of another use") from None
            said = code if re.fullmatch(r"[A-Za-z]{1,60}", code) else "an error"
            raise KeyUnavailable(f"AWS KMS answered {said}") from None
        except errors.BotoCoreError as error:
            raise KeyUnavailable(f"AWS KMS can't be asked: {type(error).__name__}") from None

    def _client(self) -> Any:
        if self._made is None:
            config = importlib.import_module("botocore.config").Config(
                connect_timeout=CONNECT_TIMEOUT_S,
                read_timeout=ANSWER_TIMEOUT_S,
                retries={"total_max_attempts": 2, "mode": "standard"},
            )
            session = importlib.import_module("botocore.session").get_session()
            self._made = session.create_client(
                "kms", region_name=self._region, endpoint_url=self._endpoint, config=config
            )
        return self._made
