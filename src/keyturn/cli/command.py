"""How commands look and fail, whichever they are.

Rule 1: `--help` leads with what it does and examples; options come after.
Rule 2: no message repeats what was typed in a place where a secret could have been typed.
Rule 3: an unknown word is answered with the nearest one.
Rule 4: an option that would carry a secret does not exist, and whoever tries it reads why.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import click

from keyturn.cli.verb_rows.row import Verb
from keyturn.cli.verbs import NOUNS, PAGE, VERBS, verbs_of

# What people type in the belief that it takes a secret → how the secret gets in instead.
_SECRET_OPTIONS: Final = frozenset(
    {"--password", "--passwd", "--pass", "--secret", "--client-secret", "--api-key", "--token", "--otp", "--code"}
)
_CONTEXT: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 100, "allow_extra_args": True}

_SERVER: Final = (
    "connector, connection, job, webhook, audit, owner, key, apikey, person, overview, config, call, proxy and link"
    " talk to the server of KEYTURN_URL (http://127.0.0.1:8800) with the API key of KEYTURN_API_KEY, or of the file"
    " that KEYTURN_API_KEY_FILE names."
)


class VerbCommand(click.Command):
    """A command of the table."""

    def __init__(self, verb: Verb, **settings: Any) -> None:
        super().__init__(verb.name, short_help=verb.summary, context_settings=dict(_CONTEXT), **settings)
        self.verb = verb

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse; too many words are counted, never repeated: one of them could be a password."""
        _refuse_secrets(ctx, args, self.params)
        rest = super().parse_args(ctx, args)
        if rest and not ctx.resilient_parsing:
            raise click.UsageError(f"{len(rest)} word{'s' if len(rest) > 1 else ''} more than this command takes.", ctx)
        return rest

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Summary, examples, usage, options, where more stands."""
        formatter.write_text(self.verb.summary)
        with formatter.section("Examples"):
            for example in self.verb.examples:
                formatter.write(f"  {example}\n")
        formatter.write_paragraph()
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        self.format_options(ctx, formatter)
        formatter.write_paragraph()
        formatter.write_text(f"Exit codes and more: {PAGE}")


def command(words: str) -> Callable[[Callable[..., Any]], VerbCommand]:
    """Make a function the command of this row of the table; its docstring is the help's text."""

    def decorate(function: Callable[..., Any]) -> VerbCommand:
        params = list(reversed(getattr(function, "__click_params__", [])))
        text = (function.__doc__ or "").strip()
        return VerbCommand(VERBS[words], callback=function, params=params, help=text)

    return decorate


class VerbGroup(click.Group):
    """The commands of one noun, or of none; loads a command when it is used."""

    def __init__(self, noun: str, **settings: Any) -> None:
        super().__init__(noun or "keyturn", short_help=NOUNS.get(noun, ""), context_settings=dict(_CONTEXT), **settings)
        self.noun = noun

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Its words, in the table's order."""
        words = [verb.name for verb in verbs_of(self.noun)]
        return words if self.noun else [*words, *_nouns()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load the command of a word."""
        if not self.noun and cmd_name in _nouns():
            return VerbGroup(cmd_name, no_args_is_help=True)
        verb = VERBS.get(f"{self.noun} {cmd_name}".strip())
        return load(verb) if verb is not None else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which word was probably meant."""
        found = self.get_command(ctx, args[0])
        if found is None:
            raise click.UsageError(self._unknown(ctx, args[0]), ctx)
        return found.name, found, args[1:]

    def _unknown(self, ctx: click.Context, word: str) -> str:
        import difflib

        words = self.list_commands(ctx)
        near = difflib.get_close_matches(word.lower(), words, n=1, cutoff=0.5)
        place = f"keyturn {self.noun}".strip()
        elsewhere = [verb.words for verb in VERBS.values() if verb.name == word]
        if elsewhere:
            return f"There is no such command; did you mean “keyturn {elsewhere[0]}”?"
        if near:
            return f"There is no such command; did you mean “{place} {near[0]}”?"
        return f"There is no such command. “{place}” knows: {', '.join(words)}."

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Summary, an example of each verb, usage, verbs."""
        summary = NOUNS.get(self.noun, "Safe connections from a username and a password (OAuth 2.0 password grant).")
        formatter.write_text(summary)
        with formatter.section("Examples"):
            for verb in verbs_of(self.noun)[:6]:
                formatter.write(f"  {verb.examples[0]}\n")
        formatter.write_paragraph()
        self.format_usage(ctx, formatter)
        self.format_commands(ctx, formatter)
        self.format_options(ctx, formatter)
        if not self.noun:
            formatter.write_paragraph()
            formatter.write_text(_SERVER)
        formatter.write_paragraph()
        formatter.write_text(f"Exit codes and more: {PAGE}")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options alone; click would list the commands here as well."""
        click.Command.format_options(self, ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The words with their summaries, from the table."""
        rows = [(verb.name, verb.summary) for verb in verbs_of(self.noun)]
        if not self.noun:
            rows += [(noun, NOUNS[noun]) for noun in _nouns()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def load(verb: Verb) -> VerbCommand:
    """Load the command of a row."""
    module, _, attribute = verb.place.partition(":")
    return cast("VerbCommand", getattr(importlib.import_module(f"keyturn.cli.commands.{module}"), attribute))


def _nouns() -> list[str]:
    return [noun for noun in NOUNS if verbs_of(noun)]


def _refuse_secrets(ctx: click.Context, args: Sequence[str], params: Sequence[click.Parameter]) -> None:
    ours = {option for param in params for option in param.opts}
    for word in args:
        if word == "--":
            return
        name = word.partition("=")[0].lower()
        if name in _SECRET_OPTIONS and name not in ours:
            ways = sorted(option for option in ours if option.endswith(("-stdin", "-fd", "secrets-file")))
            instead = f"; use {', '.join(ways)}, or wait to be asked" if ways else ""
            raise click.UsageError(
                f"There is no {name}: what stands on a command line is seen by every program of this machine and kept"
                f" in the shell's history{instead}.",
                ctx,
            )
