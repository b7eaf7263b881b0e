"""List, check and write hooks.

What is shown is what `ccproxy start` would run: the hooks of the configuration, in the order that their declarations
give them. docs/how-to/write-a-hook.md tells how to write one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ccproxy.cli import output
from ccproxy.cli.context import CliContext
from ccproxy.errors import CommandError, ConfigError

if TYPE_CHECKING:
    from ccproxy.config.load import LoadedConfig
    from ccproxy.pipeline.hook import Hook
    from ccproxy.pipeline.pipelines import Pipelines
    from ccproxy.pipeline.runner import Pipeline

INVALID = 2


@click.group()
def command() -> None:
    """List, check and write hooks.

    A hook is a function that sees every request, and may change it or its answer.
    """


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_command(obj: CliContext, as_json: bool) -> None:
    """List the configured hooks in the order they run, then those that could be configured.

    On a terminal a table. For a pipe tab-separated lines: stage, turn, name, what it does, what it reads, what it
    writes.
    """
    pipelines = load_pipelines(obj)
    stages = {pipeline.stage: _configured(pipeline) for pipeline in (pipelines.inbound, pipelines.outbound)}
    available = _available(pipelines)
    if as_json:
        output.print_json({**stages, "available": available})
        return
    rows = [
        [stage, hook["turn"] or "-", hook["name"], _what(hook), _places(hook["reads"]), _places(hook["writes"])]
        for stage, hooks in (*stages.items(), ("-", available))
        for hook in hooks
    ]
    columns = ("stage", "turn", "hook", "what it does", "reads", "writes")
    shown = 4 if output.terminal() else len(columns)  # places take more room than a terminal has
    output.print_table(columns[:shown], [row[:shown] for row in rows])


@command.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE]...")
@click.pass_obj
def check(obj: CliContext, files: tuple[Path, ...]) -> int:
    """Say whether the configured hooks, or those in the given files, can be used (exit code 2 if not).

    Looked at are names, declarations, parameters and the order: what `ccproxy start` would refuse.
    """
    try:
        if files:
            for file in files:
                _check_file(file)
            return 0
        pipelines = load_pipelines(obj)
    except ConfigError as error:
        # The problems are the result.
        output.say(str(error))
        return INVALID
    for warning in pipelines.warnings:
        output.note(f"warning: {warning}")
    for pipeline in (pipelines.inbound, pipelines.outbound):
        names = [pipeline.hooks[position].name for position in pipeline.graph.order]
        output.say(f"{pipeline.stage}: {', '.join(names) or 'no hooks'}")
        for position in pipeline.graph.moved:
            behind = [
                pipeline.hooks[edge.first].name
                for edge in pipeline.graph.edges
                if edge.second == position and edge.first > position
            ]
            output.say(f"  {pipeline.hooks[position].name} runs behind {', '.join(behind)}, whose work it reads")
    return 0


@command.command()
@click.argument("name")
@click.option(
    "--to",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Where to write it. Default: hooks/ beside the configuration file.",
)
@click.pass_obj
def new(obj: CliContext, name: str, folder: Path | None) -> None:
    """Write a hook called NAME that does nothing yet, with comments, and a test for it."""
    from ccproxy.cli.hook_template import hook_source, test_source
    from ccproxy.config.load import config_path

    if not name.isidentifier() or not name.isascii() or name.startswith("_"):
        raise CommandError(
            f"{name!r} cannot be the name of a hook", hint="use letters, digits and _, as in route_by_size"
        )
    beside = config_path(obj.config_path).absolute().parent
    folder = beside / "hooks" if folder is None else folder.absolute()
    sources = {folder / f"{name}.py": hook_source(name), folder / f"test_{name}.py": test_source(name)}
    for path in sources:
        if path.exists():
            raise CommandError(f"{output.tilde(path)} is there already", hint="take another name")
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in sources.items():
        path.write_text(text, encoding="utf-8")
        output.say(output.tilde(path))
    hook = next(iter(sources))
    spec = f"./{hook.relative_to(beside)}" if hook.is_relative_to(beside) else str(hook)
    output.note(f"to use it, add under hooks.inbound or hooks.outbound of the configuration:  - {spec}")


def load_pipelines(obj: CliContext) -> Pipelines:
    """The hooks of the configuration that a command is to use. Raises ConfigError."""
    return pipelines_of(obj.load())


def pipelines_of(loaded: LoadedConfig) -> Pipelines:
    """The hooks of a configuration. Raises ConfigError."""
    from ccproxy.pipeline.loader import Loader
    from ccproxy.pipeline.pipelines import build, hook_directory

    return build(loaded.settings.hooks, Loader(hook_directory(loaded.path)), origins=loaded.origins)


def _check_file(file: Path) -> None:
    from ccproxy.pipeline.loader import Loader

    for name, hook in Loader(Path.cwd()).load_all(file):
        output.say(
            f"{output.tilde(file)}: {name}: {_places(_words(hook, 'reads'))} -> {_places(_words(hook, 'writes'))}"
        )


def _configured(pipeline: Pipeline) -> list[dict[str, Any]]:
    from ccproxy.pipeline.places import show

    described = []
    for turn, position in enumerate(pipeline.graph.order, 1):
        one, node = pipeline.hooks[position], pipeline.graph.nodes[position]
        places = {"reads": [*map(show, node.reads)], "writes": [*map(show, node.writes)]}
        described.append({**_described(one.hook), "name": one.name, "turn": turn, "from": one.spec, **places})
    return described


def _available(pipelines: Pipelines) -> list[dict[str, Any]]:
    """Built-in and announced hooks that are not configured. One that cannot be loaded is left out with a note."""
    from ccproxy.pipeline.loader import Loader, announced, built_in

    loader, found = Loader(Path.cwd()), []
    for name in [*built_in(), *announced()]:
        if name in pipelines.names:
            continue
        try:
            hook = loader.load(name).hook
        except ConfigError as error:
            output.note(f"warning: {error}")
            continue
        places = {kind: _words(hook, kind) for kind in ("reads", "writes")}
        found.append({**_described(hook), "name": name, "turn": None, "from": name, **places})
    return found


def _described(hook: Hook) -> dict[str, Any]:
    kind = "async" if hook.is_async else "thread" if hook.blocking else "plain"
    return {
        "summary": hook.summary,
        "stage": hook.stage,
        "kind": kind,
        "on_error": hook.on_error,
        "every_request": hook.every,
        "locked": hook.locked,
        "note": hook.pending,
    }


def _words(hook: Hook, kind: str) -> list[str]:
    """What a hook declares, where that does not depend on its parameters."""
    declared = getattr(hook, kind)
    return ["(its parameters say)"] if callable(declared) else list(declared)


def _places(words: list[str]) -> str:
    return ", ".join(words) or "-"


def _what(hook: dict[str, Any]) -> str:
    return f"{hook['summary']} ({hook['note']})" if hook["note"] else hook["summary"]
