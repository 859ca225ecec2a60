"""The program itself: its table of commands, each imported only when it is called."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import click

from chartgen.cli.console import Console, Settings
from chartgen.cli.options import HELP_NAMES, common_options
from chartgen.cli.versions import version_text

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# Name, and the first line of its help. Each stands in `chartgen.cli.<name>` as `<name>`.
COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "init": "Begin a market in a folder.",
        "new": "Write the spec of a new app.",
        "check": "Check specs, charts and packages.",
        "build": "Build the packages of apps.",
        "diff": "Show what changed since the last release.",
        "bump": "Raise the versions of specs.",
        "rollback": "Release an earlier content again.",
        "retire": "Retire an app for ever.",
        "publish": "Release what changed, and put the market where devices reach it.",
        "verify": "Replay a device against a live market.",
        "bench": "Measure the speed of a running app.",
        "smoke": "Check that a running app does what its spec claims.",
        "serve": "Serve the market on this machine.",
        "plan": "Plan the GPU memory of an app.",
        "model": "Fetch or show the facts of a model.",
        "leaderboard": "Compare the apps: speed, context, vision, tools.",
        "schema": "Print the JSON Schema of a spec.",
        "rules": "List the rules, or explain one.",
        "completion": "Print the completion script of a shell.",
    }
)


class LazyGroup(click.Group):
    """A group whose list of commands, and their completion, needs none of their modules."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names of the commands in the order of the help."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command."""
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = getattr(import_module(f"chartgen.cli.{cmd_name}"), cmd_name)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is called, or say which name is near."""
        # click itself knows near names only of commands that are imported.
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            import difflib

            near = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else "See `chartgen --help`."
            raise click.UsageError(f"No command is named {name!r}. {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands into the help."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the name of a command, or an option of the program itself."""
        from click.shell_completion import CompletionItem

        named = [
            CompletionItem(name, help=text)
            for name, text in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return [*named, *click.Command.shell_complete(self, ctx, incomplete)]


def _print_version(context: click.Context, _parameter: click.Parameter, value: Any) -> None:
    if value and not context.resilient_parsing:
        Console(Settings.of(context.obj)).data(version_text())
        context.exit()


root = LazyGroup(
    "chartgen",
    help="Turn one YAML file per app into a tested Olares chart.",
    epilog="Start with `chartgen init`, then `chartgen new NAME --engine vllm`.",
    context_settings=HELP_NAMES,
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=_print_version,
            help="Show the versions of chartgen and of its libraries.",
        ),
        *common_options(),
    ],
)
