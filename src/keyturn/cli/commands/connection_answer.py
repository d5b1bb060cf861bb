"""`keyturn connection answer`: go on with a login in whose middle the provider asked for something."""

from __future__ import annotations

import click

from keyturn.cli.api_client import connect, path_of
from keyturn.cli.challenges import Course, given_answers
from keyturn.cli.command import command
from keyturn.cli.commands.connection_views import show_connection
from keyturn.cli.options import answer_option, client_address_option, json_option


@command("connection answer")
@click.argument("challenge", metavar="CHALLENGE")
@answer_option
@client_address_option
@click.option("--resend", is_flag=True, help="Ask the provider for another code first.")
@json_option
def answer(challenge: str, answers: tuple[str, ...], client_address: str | None, resend: bool, as_json: bool) -> int:
    """What is asked and not given is asked for here, codes without being shown. Each challenge is answered once.

    Where the person confirms on another device, this waits for it. Only the API key that began the login can go on.
    """
    course = Course(
        connect(), show_connection, as_json, given_answers(answers), waits=True, client_address=client_address
    )
    if resend:
        return course.go_on(course.client.send("POST", f"{path_of('challenges', challenge)}/resend"))
    return course.resume(challenge)
