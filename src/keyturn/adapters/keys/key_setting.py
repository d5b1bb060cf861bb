"""`KEYTURN_KEYS`: which key provider to use.

    file:PATH   a key file; it has to exist
    env:NAME    an environment variable that holds 32 bytes, base64
    (unset)     `keyturn.key` in the data directory, made on the first start

Source: the product document, "First start".
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from keyturn.adapters.keys.key_file import make_key_file, read_key_file
from keyturn.adapters.keys.wrapping_key import WrappingKey, key_from_base64
from keyturn.core.errors import SettingsInvalid, WrongKey

KEY_FILE_NAME: Final = "keyturn.key"


def key_provider_from(
    spec: str | None, data_dir: Path, database_has_sealed_rows: bool, *, environ: Mapping[str, str]
) -> WrappingKey:
    """Find the key, or make it where this is the first start.

    Args:
        spec: the setting; None or empty where it is not set.
        data_dir: exists already.
        database_has_sealed_rows: whether anything was sealed in it; then no key is ever made.
        environ: the process's environment, for `env:NAME`.

    Returns:
        The provider; where it has a `made_file`, the operator has to be told to back that up.

    Raises:
        WrongKey: the key is absent, and the database holds what it sealed.
        SettingsInvalid: the setting, the file or the variable can't be used.
    """
    kind, _, rest = (spec or "").partition(":")
    if not spec:
        return _default_file(data_dir / KEY_FILE_NAME, database_has_sealed_rows)
    if kind == "file" and rest:
        return _named_file(Path(rest), database_has_sealed_rows)
    if kind == "env" and rest:
        return _variable(rest, environ, database_has_sealed_rows)
    raise SettingsInvalid("KEYTURN_KEYS is neither file:PATH nor env:NAME")


def _default_file(path: Path, database_has_sealed_rows: bool) -> WrappingKey:
    try:
        return read_key_file(path)
    except FileNotFoundError:
        if database_has_sealed_rows:
            raise _absent(f"the key file {path}") from None
        return make_key_file(path)


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
