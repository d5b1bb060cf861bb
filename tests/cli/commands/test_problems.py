"""`problem list | explain`: the register, without a server."""

from __future__ import annotations

import json

import pytest

from keyturn.core.problems import PROBLEMS, Cause
from tests.cli.running import run


def test_every_code_is_listed_and_explained() -> None:
    """With its means, whose move it is and what that is."""
    listed = json.loads(run("problem", "list", "--json").out)["data"]
    ran = run("problem", "explain", "provider_account_locked")
    one = json.loads(run("problem", "explain", "provider_account_locked", "--json").out)

    assert sorted(PROBLEMS) == [each["code"] for each in listed]
    assert PROBLEMS["provider_account_locked"].action in ran.out
    assert "the person whose account it is" in ran.out
    assert one in listed
    assert "provider_account_locked" in run("problem", "list").out


def test_an_unknown_code_names_the_nearest() -> None:
    """And ends as what is not found does."""
    near = run("problem", "explain", "provider_acount_locked")
    far = run("problem", "explain", "?")

    assert (3, 3) == (near.code, far.code)
    assert "provider_account_locked" in near.err
    assert "problem list" in far.err


@pytest.mark.parametrize("reason", sorted({*Cause} - {*PROBLEMS}))
def test_why_a_connection_needs_its_person_is_explained(reason: str) -> None:
    """Those reasons too that are no answer's code."""
    ran = run("problem", "explain", reason)
    said = json.loads(run("problem", "explain", reason, "--json").out)

    assert 0 == ran.code
    assert said["means"] in ran.out
    assert ("end_user", reason) == (said["who"], said["reason"])
