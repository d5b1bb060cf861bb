"""The public suffix list that the installed `publicsuffixlist` distribution carries.

Only its data file is read, once per process; a newer list comes with a newer release of the distribution.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from keyturn.core.urls.public_suffixes import PublicSuffixes


@cache
def load_public_suffixes() -> PublicSuffixes:
    """Return the installed list.

    Raises:
        UnreadableSuffixList: the installed list has an entry that the product does not know.
        FileNotFoundError: the distribution no longer carries the list under its name.
    """
    return PublicSuffixes.from_text(
        files("publicsuffixlist").joinpath("public_suffix_list.dat").read_text(encoding="utf-8")
    )
