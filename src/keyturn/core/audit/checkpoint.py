"""What is signed of the audit log: its head, where it was cut off, and what an export held.

Rule 1: what is signed begins with a word for what it is; a signature over one kind stands for no other.
Rule 2: a signed head is for a place outside the database: it can be checked with the public key alone, and who cuts
the log or writes it anew can't make another.

Source: the decision "The audit log's signatures"; RFC 8032 (Ed25519).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from keyturn.core.audit.chain import MAC_BYTES, microseconds
from keyturn.core.audit.routine import MAC_BYTES as ROUTINE_MAC_BYTES

FORMAT: Final = 1
_NAME: Final = "keyturn_audit"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_S: Final = 253_402_300_799.0


class Kind(StrEnum):
    """What a checkpoint says."""

    HEAD = "head"  # the newest record, at this time
    CUT = "cut"  # all up to this record was cut off on purpose
    ROUTINE_CUT = "routine_cut"  # the same of the routine records, whose days are told in the main chain
    ROUTINE_FOLD = "routine_fold"  # how far their days are told: of these records, up to the connection in `mac`
    ROUTINE_HEAD = "routine_head"  # the newest routine record, at this time
    EXPORT = "export"  # an export held so many lines, with this digest


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A signed word about the chain.

    `at`: Unix seconds. `entries`, `digest`: of an export: lines, and SHA-256 over them, each with its line end.
    `public_key`: 32 bytes; `signature`: 64 bytes, empty as long as it is not signed.
    """

    kind: Kind
    seq: int
    mac: bytes
    at: float
    entries: int = 0
    digest: bytes = b""
    public_key: bytes = b""
    signature: bytes = b""

    def signed_text(self) -> bytes:
        """What the signature is over: a line for each part."""
        parts = (
            f"keyturn audit {self.kind.value} {FORMAT}", self.seq, self.mac.hex(), microseconds(self.at), self.entries,
            self.digest.hex(),
        )  # fmt: skip
        return "\n".join(str(each) for each in parts).encode("ascii")

    def as_json(self) -> dict[str, Any]:
        """Say it as plain JSON."""
        found: dict[str, Any] = {
            _NAME: FORMAT,
            "kind": self.kind.value,
            "seq": self.seq,
            "mac": self.mac.hex(),
            "at": precise_time(self.at),
        }
        if self.kind is Kind.EXPORT:
            found |= {"entries": self.entries, "digest": self.digest.hex()}
        return found | {"public_key": self.public_key.hex(), "signature": self.signature.hex()}

    def line(self) -> str:
        """The same as one line."""
        return json.dumps(self.as_json(), separators=(",", ":")) + "\n"


def is_checkpoint(document: object) -> bool:
    """Tell a checkpoint from a record."""
    return isinstance(document, Mapping) and _NAME in document


def checkpoint_in(document: Mapping[str, Any]) -> Checkpoint:
    """Read a checkpoint; nothing is known yet of its signature.

    Raises:
        ValueError: it is none of this format.
    """
    try:
        if document[_NAME] != FORMAT:
            raise ValueError("another format")
        found = Checkpoint(
            Kind(document["kind"]),
            _number(document["seq"]),
            bytes.fromhex(document["mac"]),
            seconds_in(document["at"]),
            _number(document.get("entries", 0)),
            bytes.fromhex(document.get("digest", "")),
            bytes.fromhex(document["public_key"]),
            bytes.fromhex(document["signature"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("no checkpoint") from error
    if len(found.mac) != (ROUTINE_MAC_BYTES if found.kind is Kind.ROUTINE_HEAD else MAC_BYTES):
        raise ValueError("no checkpoint")
    return found


def precise_time(at: float) -> str:
    """Unix seconds as RFC 3339 with microseconds: what is under the MAC can be had back from it."""
    moment = _EPOCH + timedelta(microseconds=microseconds(min(max(at, 0.0), _LATEST_S)))
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def seconds_in(text: str) -> float:
    """Unix seconds of such a text; ValueError."""
    return datetime.fromisoformat(text).timestamp()


def _number(given: object) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or given < 0:
        raise ValueError("no number")
    return given
