"""Names for requests."""

from __future__ import annotations

from keyturn.web.kit.request_ids import RequestIds
from tests.fakes.entropy import FakeEntropy


def test_each_request_has_an_id_of_its_own() -> None:
    """Ids differ within a process, and between two."""
    entropy = FakeEntropy()
    first, second = RequestIds(entropy), RequestIds(entropy)
    made = [ids.next() for ids in (first, second) for _ in range(100)]

    assert 200 == len(set(made))
    assert all(each.startswith(b"req_") and each.isascii() for each in made)
