"""The pages' own files, each at an address that holds the hash of its bytes, so that it may be kept for ever.

Rule 1: all files are read once, at the start; a path names one of them or nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from keyturn.core.errors import NotFound
from keyturn.web.kit.security_headers import OF_IMMUTABLE_FILE

FOLDER: Final = Path(__file__).parent.parent / "static"
_TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
}


class StaticFiles:
    """The files of one folder."""

    def __init__(self, folder: Path = FOLDER, prefix: str = "/static", more: Mapping[str, bytes] | None = None) -> None:
        """`prefix`: where the zone serves them; `more`: files that lie elsewhere, by the name that they get here."""
        self._prefix = prefix
        self._files = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix in _TYPES}
        self._files |= more or {}
        self._digests = {name: hashlib.sha256(body).hexdigest()[:16] for name, body in self._files.items()}

    def url(self, name: str) -> str:
        """Where a page finds a file; KeyError where there is none (our bug)."""
        return f"{self._prefix}/{self._digests[name]}/{name}"

    def body(self, name: str) -> bytes:
        """The bytes of a file; KeyError where there is none (our bug)."""
        return self._files[name]

    async def show(self, request: Request) -> Response:
        """Answer with a file; NotFound for any other name or hash."""
        name = request.path_params["name"]
        if self._digests.get(name) != request.path_params["digest"]:
            raise NotFound
        response = Response(self._files[name], media_type=_TYPES[Path(name).suffix])
        response.raw_headers.extend(OF_IMMUTABLE_FILE)
        return response
