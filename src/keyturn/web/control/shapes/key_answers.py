"""What callers get about wrapping keys. No member holds a key, or anything that one could be found by."""

from __future__ import annotations

from pydantic import BaseModel

from keyturn.web.control.shapes.answers import Time


class WrappingKeyAnswer(BaseModel):
    """A key that wraps data keys.

    `provider`: `file`, `env`, `awskms` or `vault`. `state`: `standby`, `current`, `retired` or `lost`. `at_hand`:
    whether the server that answers can use it. `data_keys`: how many it wraps; a key with none may be retired.
    """

    id: str
    provider: str
    state: str
    at_hand: bool
    data_keys: int
    added_at: Time
    current_at: Time | None
    retired_at: Time | None


class RotationAnswer(BaseModel):
    """The newest rotation: its job, how many data keys it has moved, and how many it had to; None: not counted yet."""

    job_id: str
    state: str
    done: int
    total: int | None


class WrappingKeyList(BaseModel):
    """All keys that were ever known, oldest first, and the newest rotation.

    `backup_made_at`: when `keyturn backup` copied the database last; null where it never did, or where the database is
    not keyturn's own file.
    """

    data: list[WrappingKeyAnswer]
    rotation: RotationAnswer | None
    backup_made_at: Time | None
    next_cursor: None = None


class RotationBegun(BaseModel):
    """The key that is current now, and the job that moves the data keys to it."""

    key: WrappingKeyAnswer
    rotation: RotationAnswer


class PasswordsDestroyed(BaseModel):
    """How many connections kept a password, and how many a TOTP seed."""

    passwords_destroyed: int
    totp_seeds_destroyed: int
