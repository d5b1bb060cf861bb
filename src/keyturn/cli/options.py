"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

Decorated = Callable[..., Any]


def json_option(function: Decorated) -> Decorated:
    """Add `--json`: one document on standard output, and a problem's document on standard error."""
    return _json("Write one JSON document.")(function)


def json_problem_option(function: Decorated) -> Decorated:
    """Add `--json` where the output is somebody else's: a problem's document on standard error."""
    return _json("Write a problem of keyturn as a JSON document.")(function)


def _json(words: str) -> Callable[[Decorated], Decorated]:

    def remember(ctx: click.Context, _param: click.Parameter, value: bool) -> bool:
        if ctx.obj is not None:
            ctx.obj.as_json = value
        return value

    return click.option("--json", "as_json", is_flag=True, is_eager=True, callback=remember, help=words)


def connection_argument(function: Decorated) -> Decorated:
    """Add the id of a connection."""
    return click.argument("connection", metavar="CONNECTION")(function)


def answer_option(function: Decorated) -> Decorated:
    """Add `--answer`: what a challenge asks, as far as it is no code; codes come on standard input."""
    return click.option(
        "--answer", "answers", multiple=True, metavar="KEY=-",
        help="What the provider asks in between: KEY=- reads a line of standard input, as codes have to come;"
        " KEY=VALUE for what is no secret.",
    )(function)  # fmt: skip


def client_address_option(function: Decorated) -> Decorated:
    """Add `--client-address`."""
    return click.option(
        "--client-address", metavar="IP", help="The person's IP address, for a provider that asks for it."
    )(function)


def page_options(function: Decorated) -> Decorated:
    """Add `--limit` and `--cursor`."""
    function = click.option("--cursor", metavar="TEXT", help="Go on where another page ended.")(function)
    return click.option("--limit", type=click.IntRange(1, 200), metavar="N", help="At most so many (50).")(function)


def spoken_to_options(function: Decorated) -> Decorated:
    """Add `--app-name` and `--owner-label`: how the person behind a link is spoken to."""
    label = click.option("--owner-label", metavar="TEXT", help="What the person is called on the page, such as a name.")
    name = click.option("--app-name", metavar="TEXT", help="Who asks: the application's name, shown on the page.")
    return name(label(function))


def spoken_to(return_url: str | None, app_name: str | None, owner_label: str | None) -> dict[str, str]:
    """As members of a request; what was not given is left out."""
    given = {"return_url": return_url, "app_name": app_name, "owner_label": owner_label}
    return {name: value for name, value in given.items() if value}
