"""`chartgen completion`."""

from __future__ import annotations

import click

from chartgen.cli.console import Console
from chartgen.cli.options import command

SHELLS = ("bash", "zsh", "fish")


@command("completion", json=False)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(console: Console, shell: str) -> None:
    """Print the completion script of a shell.

    For bash, put `eval "$(chartgen completion bash)"` into ~/.bashrc; likewise for zsh. For fish:
    `chartgen completion fish > ~/.config/fish/completions/chartgen.fish`.
    """
    from click.shell_completion import ShellComplete, get_completion_class

    from chartgen.cli.group import root

    kind = get_completion_class(shell)
    assert kind is not None
    made = kind(root, {"obj": {}}, "chartgen", "_CHARTGEN_COMPLETE")
    # Not the class's own `source`: for bash it would run the shell to ask for its version, and
    # the script may be meant for another machine.
    console.data(ShellComplete.source(made) + "\n")
