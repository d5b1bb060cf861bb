"""What a record says of a change to a connector: which keys of the file, and which hosts get secrets or get none now.

Rule 1: no value of the file stands in it, but hosts: a record stays, and an author may have put anything anywhere.
Rule 2: a key is named by its two outermost parts (`token.url`, `fields.region`): those are words of the format and keys
of fields. What is further in, such as a header's name, is the author's own.
"""

from __future__ import annotations

from typing import Any, Final

from keyturn.core.building.changes import leaves, secret_hosts
from keyturn.core.connector import Connector
from keyturn.core.format.writing import digest, dump_connector

MOST_KEYS: Final = 40


def change_facts(old: Connector | None, new: Connector) -> dict[str, Any]:
    """Facts of the record of a change from `old` (None: there was nothing) to `new`, by the digests of both."""
    hosts, before = secret_hosts(new), secret_hosts(old) if old is not None else frozenset[str]()
    return {
        "digest": digest(new),
        "digest_before": None if old is None else digest(old),
        "changed": [] if old is None else _changed_keys(old, new)[:MOST_KEYS],
        "hosts_added": sorted(hosts - before),
        "hosts_removed": sorted(before - hosts),
    }


def _changed_keys(old: Connector, new: Connector) -> list[str]:
    was, now = dict(leaves(dump_connector(old))), dict(leaves(dump_connector(new)))
    differing = [each for each in {**was, **now} if was.get(each) != now.get(each) or (each in was) != (each in now)]
    return list(dict.fromkeys(".".join(each.split("/")[1:3]) for each in differing))
