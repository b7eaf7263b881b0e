"""Print the script that makes a shell complete ccproxy's commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

INSTALL = {
    "bash": 'add to ~/.bashrc: eval "$(ccproxy completion bash)"',
    "zsh": 'add to ~/.zshrc, after compinit: eval "$(ccproxy completion zsh)"',
    "fish": "ccproxy completion fish > ~/.config/fish/completions/ccproxy.fish",
}


@click.command()
@click.argument("shell", type=click.Choice(sorted(INSTALL)))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script of SHELL; its last line says how to install it.

    \b
    bash: eval "$(ccproxy completion bash)"             in ~/.bashrc
    zsh:  eval "$(ccproxy completion zsh)"              in ~/.zshrc
    fish: ccproxy completion fish > ~/.config/fish/completions/ccproxy.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None, "click has no completion for a shell it is documented to complete"
    script = kind(ctx.find_root().command, {}, "ccproxy", "_CCPROXY_COMPLETE").source()
    click.echo(f"{script.rstrip()}\n# To install: {INSTALL[shell]}")
