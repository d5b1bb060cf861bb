"""The words of one curl command → the request that it sends.

Source: curl's manual, version 8.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from keyturn.core.answers.answer_body import is_too_deep
from keyturn.core.building.curl_words import CurlUnreadable

# Options that take a word and say nothing about the request.
_TAKE_A_WORD: Final = frozenset(
    {
        "-o", "--output", "-w", "--write-out", "-m", "--max-time", "--connect-timeout", "--retry", "-x", "--proxy",
        "--cacert", "--cert", "-E", "--key", "--resolve", "-c", "--cookie-jar", "--limit-rate", "-T", "--upload-file",
        "-D", "--dump-header", "-K", "--config", "-e", "--referer", "--max-redirs", "-r", "--range", "--aws-sigv4",
    }
)  # fmt: skip
_TOO_DEEP: Final = "The body of the command is nested too deep."
_DEEPEST: Final = 24  # a connector's file has 32 levels, and the body does not begin at the first
_SHORT_WITH_WORD: Final = frozenset("XHdFubAomwxcETDKer")
_DATA: Final = frozenset({"-d", "--data", "--data-ascii", "--data-raw", "--data-binary", "--data-urlencode"})
_LONG: Final = {
    "--request": "-X", "--header": "-H", "--form": "-F", "--form-string": "-F", "--user": "-u", "--cookie": "-b",
    "--user-agent": "-A", "--get": "-G", "--head": "-I",
}  # fmt: skip


@dataclass(slots=True)
class CurlRequest:
    """What a command sends. `params`: name → value, nested where the body is JSON. Shown nowhere: it holds secrets.

    `encoding`: as in a connector: form, json, multipart or query; text where the body is none of them.
    """

    url: str = field(default="", repr=False)
    method: str = ""
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    params: dict[str, Any] = field(default_factory=dict, repr=False)
    encoding: str = "form"
    basic: tuple[str, str] | None = field(default=None, repr=False)
    unread: list[str] = field(default_factory=list)


def read_request(words: list[str]) -> CurlRequest:
    """Read the words behind `curl`; CurlUnreadable where they name no URL."""
    found, data, as_query = CurlRequest(), list[tuple[str, str]](), False
    rest = _single(words)
    while rest:
        word = rest.pop(0)
        name = _LONG.get(word, word)
        if name in _DATA or name == "--json":
            data.append((name, _next(rest)))
        elif name in ("-X", "-H", "-F", "-u", "-b", "-A", "--url", "--oauth2-bearer"):
            _take(found, name, _next(rest))
        elif name == "-G":
            as_query = True
        elif name == "-I":
            found.method = "HEAD"
        elif name in _TAKE_A_WORD:
            _next(rest)
            found.unread.append(name)
        elif name.startswith("-") and len(name) > 1:
            if name in ("-k", "--insecure"):
                found.unread.append(name)
        elif not found.url:
            found.url = name
    if not found.url:
        raise CurlUnreadable("The command names no URL.")
    if "://" not in found.url:
        found.url = f"https://{found.url}"
    try:
        urlsplit(found.url)
    except ValueError:  # its message quotes the text
        raise CurlUnreadable("The command's URL can't be read.") from None
    _put_data(found, data, as_query=as_query)
    _take_basic(found)
    found.method = found.method or ("POST" if (data and not as_query) or found.encoding == "multipart" else "GET")
    return found


def _single(words: list[str]) -> list[str]:
    """Take joined options apart: `-sSXPOST`, `--request=POST`."""
    found: list[str] = []
    for n, word in enumerate(words):
        if word.startswith("--") or not word.startswith("-") or len(word) <= 2:
            found.append(word)
            continue
        if n and found and found[-1] in _DATA:
            found.append(word)  # a value that begins with a dash
            continue
        letters = word[1:]
        while letters:
            found.append(f"-{letters[0]}")
            if letters[0] in _SHORT_WITH_WORD and len(letters) > 1:
                found.append(letters[1:])
                break
            letters = letters[1:]
    return found


def _next(rest: list[str]) -> str:
    if not rest:
        raise CurlUnreadable("The last option of the command has no value.")
    return rest.pop(0)


def _take(found: CurlRequest, name: str, value: str) -> None:
    match name:
        case "-X":
            found.method = value.upper()
        case "-H":
            header, colon, text = value.partition(":")
            if colon and text.strip():
                found.headers[header.strip()] = text.strip()
        case "-F":
            key, _, text = value.partition("=")
            found.params[key] = text.partition(";type=")[0]
            found.encoding = "multipart"
            if text.startswith("@"):
                found.unread.append("-F with a file")
        case "-u":
            user, _, password = value.partition(":")
            found.basic = (user, password)
        case "-A":
            found.headers["User-Agent"] = value
        case "--oauth2-bearer":
            found.headers["Authorization"] = f"Bearer {value}"
        case "--url":
            found.url = value
        case _:
            found.unread.append("-b (cookies)")


def _put_data(found: CurlRequest, data: list[tuple[str, str]], *, as_query: bool) -> None:
    kind = next((value for name, value in found.headers.items() if name.lower() == "content-type"), "")
    if not data:
        _split_query(found)
        return
    if any(value.startswith("@") for name, value in data if name not in ("--data-raw",)):
        found.unread.append("a body from a file (@)")
        return
    if data[0][0] == "--json" or "json" in kind.lower() or data[0][1].lstrip().startswith("{"):
        text = "".join(value for _, value in data)
        if is_too_deep(text):  # before it is parsed: the parser's own limit is another one on each Python
            raise CurlUnreadable(_TOO_DEEP)
        try:
            body = json.loads(text)
        except ValueError:
            raise CurlUnreadable("The body of the command is no JSON.") from None
        if _depth(body) > _DEEPEST:
            raise CurlUnreadable(_TOO_DEEP)
        if not isinstance(body, dict):
            raise CurlUnreadable("The body of the command is no JSON object.")
        found.params, found.encoding = body, "json"
        return
    for name, value in data:
        if name == "--data-urlencode":
            key, _, text = value.partition("=")
            found.params[key] = text
        else:
            found.params |= dict(parse_qsl(value, keep_blank_values=True))
    if not found.params:
        found.encoding = "text"
    if as_query:
        found.encoding = "query"


def _depth(value: Any) -> int:
    """How many objects and lists stand within each other."""
    level, depth = [value], 0
    while level := [each for each in level if isinstance(each, dict | list)]:
        level = [each for one in level for each in (one.values() if isinstance(one, dict) else one)]
        depth += 1
    return depth


def _split_query(found: CurlRequest) -> None:
    """A GET carries its parameters in the URL."""
    parts = urlsplit(found.url)
    if parts.query and found.encoding != "multipart":
        found.params = dict(parse_qsl(parts.query, keep_blank_values=True))
        found.encoding = "query"
        found.url = urlunsplit(parts._replace(query="", fragment=""))


def _take_basic(found: CurlRequest) -> None:
    for name, value in list(found.headers.items()):
        if name.lower() == "authorization" and value.lower().startswith("basic "):
            try:
                user, _, password = base64.b64decode(value[6:].strip(), validate=True).decode().partition(":")
            except ValueError:
                user, password = "", ""
            found.basic = found.basic or (user, password)
            del found.headers[name]
