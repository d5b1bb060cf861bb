"""Challenges and one-time codes: what asks and never sends, what waits longer than it may, who answers at a login.

Source: the connector format, "Challenges".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from keyturn.core.connector import FieldType, PasswordKeep, Strategy
from keyturn.core.reading.codes import Fault
from keyturn.core.reading.document import given_objects, pointer_steps
from keyturn.core.reading.names import Names
from keyturn.core.reading.shapes import Reading


def judge_codes(reading: Reading, _names: Names, tree: Mapping[str, Any]) -> None:
    """A code that each login needs, and a login that happens without the person, exclude each other."""
    interactive = "login" in tree
    strategy = tree["refresh"].get("strategy") if isinstance(tree.get("refresh"), dict) else None
    if interactive and strategy in (Strategy.PASSWORD_ONLY, Strategy.REFRESH_THEN_PASSWORD):
        message = "with login: interactive no renewal uses the password; take refresh_only"
        reading.fault("/refresh/strategy", Fault.CONTRADICTION, message)
    fields = given_objects(reading.document, "fields")
    seeds = [index for index, one in enumerate(fields) if one.get("type") == FieldType.TOTP_SEED.value]
    for index in seeds[1:]:
        reading.fault(f"/fields/{index}/type", Fault.DUPLICATE, "another field takes a TOTP seed already")
    kept = tree.get("password", {}).get("keep", PasswordKeep.NEVER) is not PasswordKeep.NEVER
    for index, one in enumerate(fields):
        if kept and not interactive and one.get("type") == FieldType.OTP.value and one.get("required") is not False:
            message = (
                "a kept password can't log in by itself while each login needs this code: "
                "say login: interactive, or required: false"
            )
            reading.fault(f"/fields/{index}/type", Fault.CONTRADICTION, message)


def judge_challenges(reading: Reading, _names: Names, _tree: Mapping[str, Any]) -> None:
    """What a challenge asks or captures needs a request that it is for, and each question a key of its own."""
    for index, one in enumerate(given_objects(reading.document, "challenges")):
        pointer = f"/challenges/{index}"
        needs_next = one.get("ask") or one.get("capture") or one.get("resend") is not None
        if one.get("then") is None and needs_next:
            message = "a challenge that asks, captures or sends again needs the key “then”: the next request"
            reading.fault(pointer, Fault.REQUIRED_KEY, message, at_key=True)
        keys = list(_asked(one))
        for number, key in enumerate(keys):
            if key is not None and key in keys[:number]:
                reading.fault(f"{pointer}/ask/{number}/key", Fault.DUPLICATE, "another question has this key")


def judge_polls(reading: Reading, _names: Names, tree: Mapping[str, Any]) -> None:
    """Polling asks more than once, so its pauses are shorter than the whole."""
    for index, one in enumerate(tree.get("challenges", ())):
        poll = one.get("then", {}).get("poll", {})
        if poll.get("every", 3.0) > poll.get("for", 120.0):
            pointer = f"/challenges/{index}/then/poll/every"
            reading.fault(pointer, Fault.CONTRADICTION, "every is longer than for, so nothing would be asked again")


def judge_resends(reading: Reading, names: Names, _tree: Mapping[str, Any]) -> None:
    """Another code is asked for before the person has answered, so `resend` has none of the answers."""
    challenges = given_objects(reading.document, "challenges")
    for placed in reading.templates:
        steps = pointer_steps(placed.pointer)
        if steps[0] != "challenges" or steps[2] != "resend":
            continue
        own = set(_asked(challenges[int(steps[1])]))
        used = {leaf for path in placed.template.names() for leaf in names.leaves(path)}
        for path in sorted(used):
            if path in own:
                message = "the person hasn't answered yet when another code is asked for"
                reading.fault(placed.pointer, Fault.NAME_NOT_AVAILABLE_HERE, message)


def _asked(challenge: Mapping[str, Any]) -> Iterator[Any]:
    """The key of each question, None where one can't be read."""
    asked = challenge.get("ask")
    for each in asked if isinstance(asked, list | tuple) else ():
        key = each.get("key") if isinstance(each, Mapping) else None
        yield key if isinstance(key, str) else None
