"""The bill of materials of a release, CycloneDX 1.6, from the lock of what is installed.

Rule 1: the same lock, version and time give the same bytes.
Rule 2: no registry is named: a package is told by its name, version and hashes.

Source: CycloneDX 1.6, JSON; Package URL, type pypi.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

_BLOCKS: Final = re.compile(r"^(?=[A-Za-z0-9])", re.MULTILINE)
_PIN: Final = re.compile(r"([A-Za-z0-9._-]+)==([^\s;\\]+)(?:\s*;\s*([^\\\n]+?))?\s*(?:\\|$)", re.MULTILINE)
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Pin:
    """One package of the lock. `marker`: where it is installed alone, or empty; `hashes`: SHA-256 of its files."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]

    @property
    def url(self) -> str:
        """As a Package URL."""
        return f"pkg:pypi/{re.sub(r'[-_.]+', '-', self.name).lower()}@{self.version}"


def read_lock(text: str) -> Sequence[Pin]:
    """All pins of a lock. Raises ValueError for a block that is no pin, or has no hash."""
    blocks = [block for block in _BLOCKS.split(text) if block.strip() and not block.startswith("#")]
    pins = []
    for block in blocks:
        match, hashes = _PIN.match(block), tuple(_HASH.findall(block))
        if match is None or not hashes:
            raise ValueError(f"no pin with hashes: {block.splitlines()[0]}")
        pins.append(Pin(match[1], match[2], match[3] or "", hashes))
    return pins


def bill_of(version: str, pins: Sequence[Pin], direct: Sequence[str], at_s: int) -> str:
    """Write the bill.

    Args:
        version: of keyturn.
        pins: of the lock.
        direct: names of the packages that keyturn itself asks for.
        at_s: when it is made, Unix time in seconds.
    """
    root = f"pkg:pypi/keyturn@{version}"
    by_name = {pin.url.partition("@")[0]: pin.url for pin in pins}
    asked = sorted(by_name[Pin(name, "", "", ()).url.partition("@")[0]] for name in direct)
    parts = [_component(pin) for pin in sorted(pins, key=lambda pin: pin.url)]
    own = {"type": "application", "bom-ref": root, "name": "keyturn", "version": version, "purl": root}
    name = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps([own, parts], sort_keys=True))
    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{name}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": own,
        },
        "components": parts,
        "dependencies": [{"ref": root, "dependsOn": asked}],
    }
    return json.dumps(bill, indent=2) + "\n"


def _component(pin: Pin) -> dict[str, Any]:
    part: dict[str, Any] = {
        "type": "library",
        "bom-ref": pin.url,
        "name": pin.name,
        "version": pin.version,
        "purl": pin.url,
        "hashes": [{"alg": "SHA-256", "content": each} for each in sorted(set(pin.hashes))],
    }
    if pin.marker:
        part["scope"] = "optional"
        part["properties"] = [{"name": "keyturn:installed-where", "value": pin.marker}]
    return part
