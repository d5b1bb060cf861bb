"""Wrapping keys: looked at, added, rotated, retired; and the end of all kept passwords."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from keyturn.ports.jobs import Job
from keyturn.ports.key_custody import KeyStanding
from keyturn.web.control.caller import App, Calling
from keyturn.web.control.operations import LIMITS, Operation
from keyturn.web.control.shapes.key_answers import (
    PasswordsDestroyed,
    RotationAnswer,
    RotationBegun,
    WrappingKeyAnswer,
    WrappingKeyList,
)
from keyturn.web.control.shapes.showing import answer, maybe_time, time_of

TAG: Final = "keys"


async def list_keys(app: App, caller: Calling) -> Response:
    """List the keys that wrap data keys.

    None of them is shown; `data_keys` says how many data keys each still wraps.
    """
    rotation = await app.keys.rotation()
    return answer(
        WrappingKeyList(
            data=[_key(each) for each in await app.keys.list()],
            rotation=None if rotation is None else _job(rotation),
            backup_made_at=maybe_time(await app.keys.backup_made_at()),
        )
    )


async def add_key(app: App, caller: Calling) -> Response:
    """Make a key file in the data directory, as a standby.

    Where KEYTURN_KEYS names the keys, a new one is named there instead. Back the file up before it is made current.
    """
    return answer(_key(await app.keys.add(caller.actor)), 201)


async def rotate_key(key_id: str, app: App, caller: Calling) -> Response:
    """Make a standby key current, and move all data keys to it.

    It wraps every new data key at once; what is there is moved by a job, while calls and renewals go on.
    """
    key, job = await app.keys.rotate(key_id, caller.actor)
    return answer(RotationBegun(key=_key(key), rotation=_job(job)), 202)


async def retire_key(key_id: str, app: App, caller: Calling) -> Response:
    """Say that a standby key is needed no more.

    Refused while it wraps a single data key. Afterwards a server starts without it; an older back-up still needs it.
    """
    return answer(_key(await app.keys.retire(key_id, caller.actor)))


async def destroy_passwords(app: App, caller: Calling) -> Response:
    """Destroy every kept password at once, and every kept TOTP seed.

    Tokens stay, and live as long as they do; a connection that only its password could renew needs the person then.
    """
    passwords, seeds = await app.keys.destroy_passwords(caller.actor)
    return answer(PasswordsDestroyed(passwords_destroyed=passwords, totp_seeds_destroyed=seeds))


def _key(standing: KeyStanding) -> WrappingKeyAnswer:
    return WrappingKeyAnswer(
        id=standing.id,
        provider=standing.provider,
        state=standing.state.value,
        at_hand=standing.at_hand,
        data_keys=standing.data_keys,
        added_at=time_of(standing.added_at),
        current_at=maybe_time(standing.current_at),
        retired_at=maybe_time(standing.retired_at),
    )


def _job(job: Job) -> RotationAnswer:
    return RotationAnswer(job_id=job.id, state=job.state.value, done=job.done, total=job.total)


_KEY: Final[dict[str, Any]] = {
    "id": "key_5f0c3b1a9d2e4f67",
    "provider": "file",
    "state": "current",
    "at_hand": True,
    "data_keys": 1207,
    "added_at": "2026-11-02T08:00:00Z",
    "current_at": "2026-11-24T09:00:00Z",
    "retired_at": None,
}
_ROTATION: Final = {"job_id": "job_q1w2e3", "state": "running", "done": 1100, "total": 1207}
_STANDBY: Final = _KEY | {"state": "standby", "data_keys": 0, "current_at": None}
_RETIRED: Final = _KEY | {"state": "retired", "data_keys": 0, "retired_at": "2026-11-24T10:00:00Z"}
OPERATIONS: Final = (
    Operation(
        "GET", "/v1/keys", list_keys, "admin", {200: WrappingKeyList}, TAG, unlimited_by=LIMITS,
        answer_example={"data": [_KEY], "rotation": _ROTATION, "next_cursor": None,
                        "backup_made_at": "2026-11-24T02:00:00Z"}),
    Operation(
        "POST", "/v1/keys", add_key, "admin", {201: WrappingKeyAnswer}, TAG, unlimited_by=LIMITS,
        problems=("key_not_made_here",), answer_example=_STANDBY),
    Operation(
        "POST", "/v1/keys/{key_id}/rotate", rotate_key, "admin", {202: RotationBegun}, TAG, unlimited_by=LIMITS,
        problems=("key_state_conflict", "wrong_key", "key_unavailable"),
        answer_example={"key": _KEY, "rotation": _ROTATION}),
    Operation(
        "POST", "/v1/keys/{key_id}/retire", retire_key, "admin", {200: WrappingKeyAnswer}, TAG, unlimited_by=LIMITS,
        problems=("key_state_conflict", "key_in_use"), answer_example=_RETIRED),
    Operation(
        "POST", "/v1/keys/destroy-passwords", destroy_passwords, "admin", {200: PasswordsDestroyed},
        TAG, unlimited_by=LIMITS, problems=("key_unavailable", "seal_broken"),
        answer_example={"passwords_destroyed": 41, "totp_seeds_destroyed": 3}),
)  # fmt: skip
