"""`KEYTURN_KEYS`: which keys there are. One or several, with commas between them:

    file:PATH             a key file; it has to exist
    env:NAME              an environment variable that holds 32 bytes, base64
    awskms:ARN            a key of AWS KMS, `?endpoint=URL` for another address of the service
    vault:URL             a key of Vault's or OpenBao's transit engine
    (unset)               `keyturn.key` in the data directory, made on the first start, and each `keyturn-….key` there

Rule 1: the first key that is named is current on the first start; from then on the database says which one is.
Rule 2: a comma inside a path stays one: only a comma before another kind of key divides.
Rule 3: no message quotes the setting: somebody may have set the key itself.

Source: the product document, "First start".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl

from keyturn.adapters.keys.aws_kms import AwsKmsKey
from keyturn.adapters.keys.key_file import make_key_file, make_next_key_file, read_key_file
from keyturn.adapters.keys.key_ring import KeyRing
from keyturn.adapters.keys.vault_transit import VaultTransitKey
from keyturn.adapters.keys.wrapping_key import WrappingKey, key_from_base64
from keyturn.adapters.sealing.private_files import remove_left
from keyturn.core.errors import SettingsInvalid, WrongKey
from keyturn.ports.keys import KeyProvider

KEY_FILE_NAME: Final = "keyturn.key"


_NEXT_FILES: Final = "keyturn-*.key"
_DIVIDE: Final = re.compile(r"\s*,\s*(?=(?:file|env|awskms|vault):)")


def key_ring_from(
    spec: str | None, data_dir: Path, database_has_sealed_rows: bool, *, environ: Mapping[str, str]
) -> KeyRing:
    """Find the keys, or make the first where this is the first start.

    Args:
        spec: the setting; None or empty where it is not set.
        data_dir: exists already.
        database_has_sealed_rows: whether anything was sealed in it; then no key is ever made.
        environ: the process's environment, for `env:NAME` and the token of Vault.

    Returns:
        All keys; where the ring has a `made_file`, the operator has to be told to back that up.

    Raises:
        WrongKey: a key is absent, and the database holds what was sealed.
        SettingsInvalid: the setting, a file or a variable can't be used.
    """
    if spec:
        return KeyRing([_named(each, database_has_sealed_rows, environ) for each in _DIVIDE.split(spec.strip())])
    return _files_of(data_dir, database_has_sealed_rows)


def _files_of(data_dir: Path, sealed: bool) -> KeyRing:
    made_file = None
    first = data_dir / KEY_FILE_NAME
    remove_left(data_dir, "keyturn*.key")
    if not first.exists() and not any(data_dir.glob(_NEXT_FILES)):
        if sealed:
            raise _absent(f"the key file {first}") from None
        made_file = make_key_file(first).made_file

    def find() -> list[WrappingKey]:
        found = [path for path in (first, *sorted(data_dir.glob(_NEXT_FILES))) if path.exists()]
        return [read_key_file(path) for path in found]

    return KeyRing(find(), find=find, make=lambda: make_next_key_file(data_dir), made_file=made_file)


def _named(spec: str, sealed: bool, environ: Mapping[str, str]) -> KeyProvider:
    kind, _, rest = spec.partition(":")
    if kind == "file" and rest:
        return _named_file(Path(rest), sealed)
    if kind == "env" and rest:
        return _variable(rest, environ, sealed)
    if kind == "awskms" and rest:
        arn, _, query = rest.partition("?")
        options = dict(parse_qsl(query))
        if options.keys() - {"endpoint"}:
            raise SettingsInvalid("awskms: takes no option but endpoint=URL; the region stands in the ARN")
        return AwsKmsKey(arn, endpoint=options.get("endpoint"))
    if kind == "vault" and rest:
        return VaultTransitKey(rest, environ=environ)
    raise SettingsInvalid("KEYTURN_KEYS names what is neither file:PATH nor env:NAME nor awskms:ARN nor vault:URL")


def _named_file(path: Path, database_has_sealed_rows: bool) -> WrappingKey:
    try:
        return read_key_file(path)
    except FileNotFoundError:
        if database_has_sealed_rows:
            raise _absent(f"the key file {path}") from None
        raise SettingsInvalid(f"the key file {path}, which KEYTURN_KEYS names, does not exist") from None


def _variable(name: str, environ: Mapping[str, str], database_has_sealed_rows: bool) -> WrappingKey:
    text = environ.get(name, "")
    if not text and database_has_sealed_rows:
        raise _absent(f"the key in the environment variable {name}")
    key = key_from_base64(text)
    if key is None:
        raise SettingsInvalid(f"the environment variable {name}, which KEYTURN_KEYS names, is not 32 bytes of base64")
    return WrappingKey(key, source=f"env:{name}")


def _absent(what: str) -> WrongKey:
    return WrongKey(f"{what} is absent, and the database holds what it sealed: put the key back, from its back-up")
