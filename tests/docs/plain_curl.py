"""What the documents use of curl, for machines that have none: `-s`, `-i`, `-H`, `-d`, one URL."""

from __future__ import annotations

import argparse
import http.client
import sys
from urllib.parse import urlsplit


def main(arguments: list[str]) -> int:
    """Send one request, and write its answer."""
    parser = argparse.ArgumentParser(prog="curl", add_help=False)
    parser.add_argument("-s", action="store_true")
    parser.add_argument("-i", action="store_true")
    parser.add_argument("-H", action="append", default=[])
    parser.add_argument("-d")
    parser.add_argument("url")
    given = parser.parse_args(arguments)
    place = urlsplit(given.url)
    headers = {name.strip(): value.strip() for name, _, value in (each.partition(":") for each in given.H)}
    connection = http.client.HTTPConnection(place.netloc, timeout=60)
    target = f"{place.path}?{place.query}" if place.query else place.path
    connection.request("GET" if given.d is None else "POST", target, given.d, headers)
    answer = connection.getresponse()
    if given.i:
        print(f"HTTP/1.1 {answer.status} {answer.reason}")
        print("\n".join(f"{name}: {value}" for name, value in answer.getheaders()), end="\n\n")
    print(answer.read().decode(), end="")
    connection.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
