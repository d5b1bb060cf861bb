"""Secrets that are known by value: the registry of those in flight, and the search for them in a text.

Rule: a text that holds too many near misses is covered as a whole; nothing here is quadratic.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from keyturn.core.redaction.traces import SCREEN_WIDTH, Pattern, Traces, coarse, traces_of
from keyturn.core.redaction.views import MAX_LAYERS, View, has_escapes, skeleton, unescape
from keyturn.core.secret import Secret

Span = tuple[int, int]

LINGERING: Final = 64
_MAX_NEAR_MISSES: Final = 20_000
_BASE64_DROPS: Final = re.compile(r"[\s\\'\"`]+")
_HEX_DROPS: Final = re.compile(r"[\s\\'\"`:,-]+")
_BASE64_TABLE: Final = str.maketrans({"-": "+", "_": "/", "\\": None, "'": None, '"': None, "`": None})
_HEX_TABLE: Final = str.maketrans({"\\": None, "'": None, '"': None, "`": None, ":": None, "-": None, ",": None})


class KnownSecrets:
    """The values in flight. Safe to change from several threads; add as often as discard.

    An error is written down after it has left the block that held the secrets, so those of a block that failed stay
    known until `LINGERING` others have failed.

    Most blocks end without a text that could show their secrets: how a value may be written is worked out once a text
    is looked at, not when the value is added.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, int] = {}  # a value, and how often it was added
        self._lingering: dict[str, None] = {}
        self._worked_out: dict[str, Traces] = {}
        self._published: tuple[Traces, ...] | None = ()  # None: something was added or forgotten since

    @property
    def traces(self) -> tuple[Traces, ...]:
        """Every form of every value that is known now."""
        published = self._published
        if published is not None:
            return published
        with self._lock:
            known = self._worked_out
            now = {value: known.get(value) or traces_of(value) for value in (*self._held, *self._lingering)}
            self._worked_out = {value: traces for value, traces in now.items() if traces is not None}
            self._published = tuple(self._worked_out.values())
            return self._published

    def add(self, secret: Secret) -> None:
        """Take note of `secret`; blank ones are passed over."""
        value = secret.reveal()
        if not value or value.isspace():
            return
        with self._lock:
            self._held[value] = self._held.get(value, 0) + 1
            self._lingering.pop(value, None)
            self._published = None

    def discard(self, secret: Secret, *, linger: bool = False) -> None:
        """Forget one `add` of `secret`, with `linger` not at once; an unknown one is passed over."""
        value = secret.reveal()
        with self._lock:
            count = self._held.get(value, 0)
            if not count:
                return
            if count > 1:
                self._held[value] = count - 1
                return
            del self._held[value]
            self._published = None
            if not linger:
                self._worked_out.pop(value, None)
                return
            self._lingering[value] = None
            while len(self._lingering) > LINGERING:
                oldest = next(iter(self._lingering))
                del self._lingering[oldest]
                self._worked_out.pop(oldest, None)

    @contextmanager
    def in_flight(self, *secrets: Secret) -> Iterator[None]:
        """Know `secrets` for as long as the block runs."""
        for secret in secrets:
            self.add(secret)
        failed = True
        try:
            yield
            failed = False
        finally:
            for secret in secrets:
                self.discard(secret, linger=failed)


def find_known(text: str, known: Iterable[Traces]) -> list[Span]:
    """Return the spans of `text` that show a known secret, unordered; they may overlap. Never raises."""
    traces = tuple(known)
    if not traces or not text:
        return []
    spans: list[Span] = []
    layer, layers = "".join(text.split()), 0
    while True:
        screened = _screened(layer, traces)
        if screened:
            spans += _find_in_layer(text, layer, layers, screened)
        layers += 1
        if layers > MAX_LAYERS or not has_escapes(layer):
            break
        before, layer = layer, "".join(unescape(layer).split())
        if before == layer:
            break
    return spans + _find_short(text, [t.short for t in traces if t.short])


def _screened(layer: str, traces: tuple[Traces, ...]) -> list[Traces]:
    """Those of `traces` that may be in `layer`."""
    stride = min((t.stride for t in traces if t.stride), default=1)
    letters = coarse(layer)
    groups = [letters[i : i + SCREEN_WIDTH] for i in range(0, len(letters) - SCREEN_WIDTH + 1, stride)]
    return [t for t in traces if not t.stride or not t.groups.isdisjoint(groups)]


def _find_in_layer(text: str, layer: str, layers: int, traces: list[Traces]) -> list[Span]:
    spans: list[Span] = []
    bones = [p for t in traces for p in t.bones]
    encoded = [p for t in traces for p in t.base64]
    hexed = [p for t in traces for p in t.hex]
    if _any_seed(skeleton(layer), bones):
        spans += _find(_view(text, layers).bones(), bones)
    if _any_seed(layer.translate(_BASE64_TABLE), encoded):
        view = _view(text, layers).without(_BASE64_DROPS)
        view.letters = view.letters.translate(_BASE64_TABLE)
        spans += _find(view, encoded)
    if _any_seed(_ascii_lower(layer.translate(_HEX_TABLE)), hexed):
        view = _view(text, layers).without(_HEX_DROPS)
        view.letters = _ascii_lower(view.letters)
        spans += _find(view, hexed)
    return spans


def _ascii_lower(letters: str) -> str:
    """Lower the hex digits and nothing else: other letters may change their number."""
    return letters.translate(_LOWER)


_LOWER: Final = str.maketrans("ABCDEF", "abcdef")


_BLANKS: Final = re.compile(r"\s+")


def _view(text: str, layers: int) -> View:
    view = View.of(text).without(_BLANKS)
    for _ in range(layers):
        view = view.unescaped().without(_BLANKS)
    return view


def _any_seed(letters: str, patterns: list[Pattern]) -> bool:
    for pattern in patterns:
        for seed, _ in pattern.seeds:
            if seed in letters:
                return True
    return False


def _find(view: View, patterns: list[Pattern]) -> list[Span]:
    spans: list[Span] = []
    budget = _MAX_NEAR_MISSES
    letters = view.letters
    for pattern in patterns:
        for seed, place in pattern.seeds:
            at = letters.find(seed)
            while at >= 0:
                begin, end = _grown(letters, at, pattern.letters, place, len(seed))
                if end - begin >= pattern.least:
                    spans.append((view.starts[begin], view.ends[end - 1]))
                    at = letters.find(seed, max(at + 1, end - len(seed) + 1))
                    continue
                budget -= 1
                if budget == 0:
                    return [(0, view.ends[-1])]
                at = letters.find(seed, at + 1)
    return spans


def _grown(letters: str, at: int, wanted: str, place: int, width: int) -> Span:
    """Stretch the agreement of `letters` at `at` with `wanted` at `place` as far as it goes."""
    end, reach = at + width, place + width
    step = 1
    while step:
        if reach + step <= len(wanted) and letters.startswith(wanted[reach : reach + step], end):
            end, reach, step = end + step, reach + step, step * 2
        else:
            step //= 2
    begin, step = at, 1
    while step:
        if place - step >= 0 and begin - step >= 0 and letters.startswith(wanted[place - step : place], begin - step):
            begin, place, step = begin - step, place - step, step * 2
        else:
            step //= 2
    return begin, end


def _find_short(text: str, shorts: list[str]) -> list[Span]:
    """A secret of a few letters is found only where it stands alone: `ana` is not in `banana`."""
    spans: list[Span] = []
    letters, layers = text, 0
    while shorts:
        if any(short in letters for short in shorts):
            view = View.of(text)
            for _ in range(layers):
                view = view.unescaped()
            spans += [span for short in shorts for span in _words(view, short)]
        layers += 1
        if layers > MAX_LAYERS or not has_escapes(letters):
            break
        before, letters = letters, unescape(letters)
        if letters == before:
            break
    return spans


def _words(view: View, short: str) -> Iterator[Span]:
    lead = r"(?<![^\W_])(?<![^\W_]-)" if short[0].isalnum() else ""
    tail = r"(?![^\W_])(?!-[^\W_])" if short[-1].isalnum() else ""
    for match in re.finditer(lead + re.escape(short) + tail, view.letters):
        yield view.starts[match.start()], view.ends[match.end() - 1]
