"""A key file: three lines of text, readable by its owner alone.

    keyturn-key 1
    id: key_<16 hex digits>
    key: <32 bytes, base64>

Rule 1: a key file appears whole or not at all: it is written beside its place, synced, and then linked into it. Of two
starts at once one links first, and the other reads that file.
Rule 2: a file that anybody but its owner may read is refused, not mended: who read it so far cannot be known.
Rule 3: the id follows from the key, so that a damaged file is noticed before anything is sealed under it.
Rule 4: no message quotes what stands in the file.
"""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path
from typing import Final

from keyturn.adapters.keys.wrapping_key import WrappingKey, key_from_base64
from keyturn.adapters.sealing.private_files import sync_directory, write_beside
from keyturn.adapters.sealing.sealed_value import KEY_BYTES
from keyturn.core.errors import SettingsInvalid

_FIRST_LINE: Final = "keyturn-key 1"
_MAX_BYTES: Final = 4096


def read_key_file(path: Path) -> WrappingKey:
    """Read the key.

    Raises:
        FileNotFoundError: there is no such file.
        SettingsInvalid: it can't be read, may be read by others, or holds no key.
    """
    try:
        # Non-blocking, so that a pipe in the file's place is refused below and not waited for.
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SettingsInvalid(f"the key file {path} can't be read: {os.strerror(error.errno or 0)}") from None
    try:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise SettingsInvalid(f"{path} is no file")
        if about.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise SettingsInvalid(f"the key file {path} is open to others than its owner; its mode has to be 0600")
        text = os.read(handle, _MAX_BYTES)
    finally:
        os.close(handle)
    return _parsed(text, path)


def make_next_key_file(folder: Path) -> WrappingKey:
    """Make one more key file in a folder, named by the key's id.

    Raises:
        SettingsInvalid: it can't be written.
    """
    key = os.urandom(KEY_BYTES)
    digits = WrappingKey(key, source="").key_id.removeprefix("key_")
    return make_key_file(folder / f"keyturn-{digits}.key", key=key)


def make_key_file(path: Path, *, key: bytes | None = None) -> WrappingKey:
    """Make a key file, or read the one that another start has made in the meantime.

    Raises:
        SettingsInvalid: it can't be written.
    """
    key = os.urandom(KEY_BYTES) if key is None else key
    made = WrappingKey(key, source=f"file:{path}", made_file=path)
    text = f"{_FIRST_LINE}\nid: {made.key_id}\nkey: {base64.b64encode(key).decode()}\n"
    try:
        beside = write_beside(path, text.encode())
        try:
            os.link(beside, path)
        except FileExistsError:
            return read_key_file(path)
        finally:
            beside.unlink()
            sync_directory(path.parent)
    except OSError as error:
        raise SettingsInvalid(f"the key file {path} can't be made: {os.strerror(error.errno or 0)}") from None
    return made


def _parsed(text: bytes, path: Path) -> WrappingKey:
    lines = text.decode("ascii", "replace").splitlines()
    key = None
    if len(lines) == 3 and lines[0] == _FIRST_LINE and lines[2].startswith("key: "):
        key = key_from_base64(lines[2].removeprefix("key: "))
    if key is None:
        raise SettingsInvalid(f"the key file {path} holds no key")
    found = WrappingKey(key, source=f"file:{path}")
    if lines[1] != f"id: {found.key_id}":
        raise SettingsInvalid(f"the key file {path} is damaged: its id is not that of its key")
    return found
