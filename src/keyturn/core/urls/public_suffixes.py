"""Where the names that anybody may register begin.

Rule 1: the list is handed in as text; nothing here knows where it is kept or how old it is.
Rule 2: both sections of the list count, the ICANN and the private one.
Rule 3: a list that cannot be read in full is an error: an entry that is passed over would open what it guards.

Source: the Public Suffix List's format and algorithm, publicsuffix.org/list.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from keyturn.core.urls.hostnames import HostError, literal_address, normalise_host


class UnreadableSuffixList(ValueError):
    """The text is no public suffix list, or holds an entry that this module does not know."""


_COMMENT: Final = "//"


@dataclass(frozen=True, slots=True)
class PublicSuffixes:
    """The entries of one list, as normalised hosts. Build it with `from_text`."""

    plain: frozenset[str]
    wildcard_bases: frozenset[str]  # `B` for each entry `*.B`
    exceptions: frozenset[str]  # `N` for each entry `!N`

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read the text of a public suffix list.

        Raises:
            UnreadableSuffixList: an entry is no host, has an asterisk elsewhere than in front, or there is none.
        """
        plain, wildcard_bases, exceptions = set(), set(), set()
        for entry in _entries(text):
            if entry.startswith("!"):
                exceptions.add(_read(entry[1:]))
            elif entry.startswith("*."):
                wildcard_bases.add(_read(entry[2:]))
            else:
                plain.add(_read(entry))
        if not plain:
            raise UnreadableSuffixList("a public suffix list without entries")
        return cls(frozenset(plain), frozenset(wildcard_bases), frozenset(exceptions))

    def public_suffix(self, host: str) -> str:
        """Return the public suffix of the normalised name `host`: the name itself where it is one.

        An exception entry wins, then the longest entry; with no entry at all it is the last label.
        """
        labels = host.split(".")
        for start in range(len(labels)):
            name, parent = ".".join(labels[start:]), ".".join(labels[start + 1 :])
            if name in self.exceptions:
                return parent
            if name in self.plain or parent in self.wildcard_bases:
                return name
        return labels[-1]

    def is_public_suffix(self, host: str) -> bool:
        """Say whether no wildcard may stand over the normalised name `host`.

        Beyond the list's own algorithm a name `B` with an entry `*.B` counts: every name below it is a suffix.
        """
        return host in self.wildcard_bases or host == self.public_suffix(host)


def registrable_domain(host: str, suffixes: PublicSuffixes) -> str | None:
    """Return the public suffix of the normalised `host` and one label more.

    None for an address and for a host that is a public suffix itself.
    """
    if literal_address(host) is not None:
        return None
    suffix = suffixes.public_suffix(host)
    if host == suffix:
        return None
    return ".".join(host.split(".")[-1 - len(suffix.split(".")) :])


def _entries(text: str) -> Iterable[str]:
    for line in text.splitlines():
        words = line.split(maxsplit=1)  # an entry ends at the first white space
        if words and not words[0].startswith(_COMMENT):
            yield words[0]


def _read(name: str) -> str:
    try:
        return normalise_host(name)
    except HostError:
        raise UnreadableSuffixList("a public suffix list with an entry that is no host") from None
