"""What a record says of a change to a connector."""

from __future__ import annotations

from keyturn.core.building.recorded import change_facts
from keyturn.core.format.writing import digest
from tests.engine.builder.texts import parsed


def test_the_keys_and_hosts_of_a_change() -> None:
    """By name, outermost parts first; the digests say between which two texts."""
    old, new = parsed(), parsed(url="https://b.example", token=", method: PUT")
    facts = change_facts(old, new)

    assert {"token.url", "token.method"} <= set(facts["changed"])
    assert (["b.example"], ["auth.acme.example"]) == (facts["hosts_added"], facts["hosts_removed"])
    assert (digest(old), digest(new)) == (facts["digest_before"], facts["digest"])


def test_a_first_text_is_all_hosts() -> None:
    """Nothing was there to change."""
    facts = change_facts(None, parsed())

    assert (None, [], []) == (facts["digest_before"], facts["changed"], facts["hosts_removed"])
    assert "auth.acme.example" in facts["hosts_added"]


def test_no_value_of_the_file_stands_in_it() -> None:
    """Neither one that is new nor one that is gone, nor an author's own name further in."""
    new = parsed(more="request: {headers: {X-Canary-Name: canary-value}, query: {canary_query: canary-value}}")
    there, gone = str(change_facts(parsed(), new)), str(change_facts(new, parsed()))

    assert "canary" not in (there + gone).lower()
    assert "request.headers" in there
