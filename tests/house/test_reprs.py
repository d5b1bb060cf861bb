"""What holds a secret, or what somebody typed, shows none of it in its repr: reprs end in logs and tracebacks."""

from __future__ import annotations

from typing import Any

import pytest

from keyturn.core.connection import ConnectionSecrets
from keyturn.core.messages import Answer, OutgoingRequest
from keyturn.core.secret import Secret
from keyturn.core.token_set import TokenSet
from keyturn.engine.calls.request_parameters import Pair, RenderedParameters
from keyturn.engine.login.connect import LoginRequest
from keyturn.ports.access.idempotency import StoredReply
from keyturn.ports.egress import UpstreamRequest
from keyturn.ports.store import ClientCredentials, SealedChange
from keyturn.web.kit.problems import ProblemAnswer

CANARY = "canary-of-a-repr"
RAW = CANARY.encode()
SECRET = Secret(CANARY)
TOKENS = TokenSet(SECRET, 0.0, SECRET, kept={"id_token": CANARY})

HOLDERS: list[Any] = [
    OutgoingRequest("POST", f"https://a.example/?p={CANARY}", (("Authorization", CANARY),), RAW),
    Answer(200, (("X-Token", CANARY),), RAW),
    UpstreamRequest(b"GET", "https", "a.example", 443, b"/?t=" + RAW, ((b"authorization", RAW),)),
    RenderedParameters(
        ((b"authorization", RAW),), ((b"x", RAW),), query=(Pair("t", CANARY),), body={"t": CANARY},
        form=(Pair("t", CANARY),),
    ),
    TOKENS,
    ConnectionSecrets(TOKENS, SECRET, SECRET, {"seed": SECRET}),
    SealedChange(TOKENS, SECRET, SECRET, {"seed": SECRET}),
    ClientCredentials("client", SECRET),
    LoginRequest("acme", "owner", CANARY, SECRET, {"pin": CANARY}),
    StoredReply("digest", 200, RAW),
    ProblemAnswer(409, (), RAW),
]  # fmt: skip


@pytest.mark.parametrize("holder", HOLDERS, ids=lambda each: type(each).__name__)
def test_a_repr_shows_nothing_of_what_it_holds(holder: object) -> None:
    """Neither as text nor as bytes, however it is formatted."""
    assert CANARY not in f"{holder!r} {holder} {[holder]}"
