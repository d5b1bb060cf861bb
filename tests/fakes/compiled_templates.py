"""Templates that one test has compiled are not compiled again for the next: that is most of what a page would cost."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from types import CodeType
from typing import Final

import pytest
from jinja2.bccache import Bucket, BytecodeCache

from keyturn.web.connect import rendering as of_connect
from keyturn.web.console import rendering as of_console


class CompiledTemplates(BytecodeCache):
    """In this process; a template whose text has changed is another."""

    def __init__(self) -> None:
        self._code: dict[tuple[str, str], CodeType | None] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give what is known of it."""
        bucket.code = self._code.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep it."""
        self._code[bucket.key, bucket.checksum] = bucket.code


_KEPT: Final = CompiledTemplates()


@contextlib.contextmanager
def templates_compiled_once() -> Iterator[None]:
    """For the length of the block, pages made in this process share what is compiled."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (of_connect, of_console):
            patch.setattr(module, "Environment", partial(module.Environment, bytecode_cache=_KEPT))
        yield
