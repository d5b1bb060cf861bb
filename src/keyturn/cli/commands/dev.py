"""`keyturn dev`: the broker with the example provider beside it, and what to try first."""

from __future__ import annotations

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
WITH_CODE: Final = ("otp", "two-steps-please")


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
        from keyturn.bootstrap.runtimes import prepare_process, run

        settings = dev_settings(settings)
        known = prepare_process(settings)
        run(run_dev(settings, known, provider_port, lambda welcome: show(welcome, folder)))


def show(welcome: Welcome, folder: Path) -> None:
    """Print what somebody who has just started it needs."""
    me = _own_name()
    _heading("keyturn is running", welcome.address)
    say("Ctrl-C ends it.")
    say()
    _heading("1  Connect an account", "open this link; it works once")
    say(f"   {welcome.link}")
    say()
    say(f"   username {DEMO[0]}   password {DEMO[1]}")
    say(f"   username {WITH_CODE[0]}    password {WITH_CODE[1]}   (asks for a code, see 3)")
    say()
    _heading("2  Use it", "in another terminal, from this directory")
    say(f"export KEYTURN_URL={welcome.address}")
    say(f"export KEYTURN_API_KEY={welcome.api_key}")
    for words, note in (
        ("connection list", "gives the ID"),
        ("call ID GET /me", "the API, without ever seeing a token"),
        ("connection renew ID", "the next token, without the person"),
        ("connection why ID", "how it is, and whose move it is"),
        ("connection disconnect ID", "end it, also at the provider"),
    ):
        _row(f"{me} {words}", note)
    say()
    _heading("3  Break it", f"{welcome.provider} is the example provider")
    say("   Its page shows every token and code, and has buttons that revoke a token.")
    say("   Press one, then call again: keyturn notices and renews, or says what to do.")
    say()
    say(f"Data: {folder}   Everything stays on this machine; the accounts are made up.")


def _heading(title: str, rest: str) -> None:
    write_styled(f"{styled(title, 'bold')}   {styled(rest, 'cyan')}")


def _row(words: str, note: str) -> None:
    write_styled(f"{words:<40} {styled('# ' + note, 'dim')}")


def _own_name() -> str:
    """How this program is called from here: its name where the shell finds it, else its path."""
    called = Path(sys.argv[0])
    found = shutil.which("keyturn")
    if found is not None and called.exists() and Path(found).resolve() == called.resolve():
        return "keyturn"
    if called.name != "keyturn" or not called.exists():
        return "keyturn"
    try:
        return str(called.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(called)
