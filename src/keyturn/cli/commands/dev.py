"""`keyturn dev`: the broker with the example provider beside it, and what to try first."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from keyturn.cli.command import command
from keyturn.cli.commands.serve import listening
from keyturn.cli.output import say, styled, write_styled

if TYPE_CHECKING:
    from keyturn.bootstrap.dev import Welcome

DATA: Final = Path(".keyturn", "dev")
DEMO: Final = ("demo", "correct-horse-7")  # made up, and printed in the provider's README and page as well
WITH_CODE: Final = ("otp", "two-steps-please")  # as is this one, which needs a second factor
_FIRST: Final = (
    ("keyturn connection list", "gives the ID"),
    ("keyturn call ID GET /me", "the API, and no token in sight"),
    ("keyturn connection renew ID", "the next token, without the person"),
    ("keyturn connection why ID", "how it is, and whose move it is"),
    ("keyturn connection disconnect ID", "end it, also at the provider"),
)


@command("dev")
@click.option("--data", type=click.Path(path_type=Path), metavar="DIR", help=f"Data directory ({DATA}).")
@click.option("--listen", metavar="HOST:PORT", help="Where keyturn listens (127.0.0.1:8800).")
@click.option(
    "--provider-port", type=click.IntRange(0, 65_535), default=8801, show_default=True, metavar="PORT",
    help="Where the example provider listens.",
)  # fmt: skip
def dev(data: Path | None, listen: str | None, provider_port: int) -> None:
    """Nothing leaves this machine; the accounts are made up. Ctrl-C ends both.

    KEYTURN_DATA is not looked at, so that nothing is tried out on real data.
    """
    from keyturn.bootstrap.settings import read_settings

    folder = data or DATA
    settings = read_settings(data=folder, listen=listen)
    with listening(settings):
        from keyturn.bootstrap.dev import dev_settings, run_dev
        from keyturn.bootstrap.observing.instance import link_options
        from keyturn.bootstrap.runtimes import prepare_process, run

        settings = dev_settings(settings)
        known = prepare_process(settings)

        def ready(welcome: Welcome) -> None:
            show(welcome, folder, link_options(settings, data=folder, address=welcome.address))

        run(run_dev(settings, known, provider_port, ready))


def show(welcome: Welcome, folder: Path, link_options: str) -> None:
    """Print what somebody who has just started it needs; `link_options`: by which a command means this data."""
    _heading("keyturn is running", f"{welcome.address}   Ctrl-C ends it.")
    say()
    _heading("1  Connect an account", "open this link; it works once")
    say(f"   {welcome.link}")
    say(f"   username {DEMO[0]}, password {DEMO[1]}")
    say(f"   or {WITH_CODE[0]}, {WITH_CODE[1]}; the code is on {welcome.provider}")
    say()
    _heading("2  Use it", "in another terminal")
    for line in _preparations(welcome):
        say(f"   {line}")
    say()
    for words, note in _FIRST:
        write_styled(f"   {words:<33}{styled('# ' + note, 'dim')}")
    say()
    _heading("3  Break it", f"{welcome.provider} is the example provider")
    say("   Press one of its buttons and call again: keyturn renews, or says what to do.")
    say()
    _heading("4  Look around", "the console; this link signs you in once, for 10 minutes")
    say(f"   {welcome.console}")
    say(f"   another: keyturn person link dev {link_options}")
    say(f"Data: {folder}. Nothing leaves this machine; the accounts are made up.")


def _heading(title: str, rest: str) -> None:
    write_styled(f"{styled(title, 'bold')}   {styled(rest, 'cyan')}")


def _preparations(welcome: Welcome) -> list[str]:
    """What another terminal needs first: the program, where the shell does not find it, the server and the key."""
    called = Path(sys.argv[0])
    lines = []
    if called.name == "keyturn" and called.exists() and shutil.which("keyturn") is None:
        lines.append(f"alias keyturn={shlex.quote(str(called.absolute()))}")
    return [*lines, f"export KEYTURN_URL={welcome.address}", f"export KEYTURN_API_KEY={welcome.api_key}"]
