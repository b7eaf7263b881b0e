"""Convert a request or an answer between dialects, offline.

Works on files alone: no configuration, no proxy, no network. Ids that a conversion makes and the time are fixed, so the
same file gives the same bytes in every run. The result is on stdout, what was lost on stderr.
"""

from __future__ import annotations

import itertools
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from ccproxy.cli import output
from ccproxy.errors import BadRequest, CommandError
from ccproxy.telemetry.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from click.shell_completion import CompletionItem

    from ccproxy.lightllm.dialect import Context, Dialect, Encoded, StreamForm
    from ccproxy.lightllm.errors import ErrorInfo
    from ccproxy.lightllm.ir.losses import Loss
    from ccproxy.lightllm.ir.request import Request

#: The time that answers without one are given: seconds since the epoch.
_TIME = 1_700_000_000


class _DialectType(click.ParamType["Dialect"]):
    """The name of a dialect; its value is the dialect. Imports nothing before it is used."""

    name = "dialect"

    def convert(self, value: str | Dialect, param: click.Parameter | None, ctx: click.Context | None) -> Dialect:
        from ccproxy.lightllm.registry import Registry

        registry = Registry()
        if not isinstance(value, str):
            return value
        if value not in registry:
            self.fail(f"there is no dialect {value!r} (there are: {', '.join(registry.names())})", param, ctx)
        return registry.get(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        from ccproxy.lightllm.registry import Registry

        return [CompletionItem(name) for name in Registry().names() if name.startswith(incomplete)]


class _FamilyType(click.ParamType[str]):
    """A family of providers. Imports nothing before it is used."""

    name = "family"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from ccproxy.lightllm.families import FAMILIES, family_of

        return family_of(value) or self.fail(f"unknown: {value!r} (there are: {', '.join(FAMILIES)})", param, ctx)


@dataclass(frozen=True)
class _Result:
    """What a conversion gave. `path` and `headers` are of requests, `status` and `error` of answers."""

    body: bytes
    losses: list[Loss]
    path: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    status: int | None = None
    error: ErrorInfo | None = None


@dataclass(frozen=True)
class _Asked:
    """What the command line says about a request: the model to ask for, and whose provider gets it."""

    model: str
    family: str | None


@click.command()
@click.option("--from", "source", type=_DialectType(), metavar="DIALECT", required=True, help="The dialect of FILE.")
@click.option("--to", "target", type=_DialectType(), metavar="DIALECT", required=True, help="The dialect to write.")
@click.option("--response", "kind", flag_value="response", help="FILE is a buffered answer.")
@click.option("--stream", "kind", flag_value="stream", help="FILE is a streamed answer: SSE, or a JSON array.")
@click.option(
    "--request",
    "request_file",
    metavar="PATH",
    type=click.Path(dir_okay=False),
    help="The client's request (in the dialect of --to) that the answer is for: names of tools, stop sequences and what "
    "else was asked for then come out as in the proxy.",
)
@click.option(
    "--family",
    type=_FamilyType(),
    metavar="NAME",
    help="Whose provider gets the request, where that is not the dialect's own: deepseek, openrouter, ollama, ... "
    "An unknown name lists them.",
)
@click.option("--model", default="", metavar="NAME", help="The model to ask for, or to name in the answer.")
@click.option("--strict", is_flag=True, help="Exit with 1 if anything is lost.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: result, path, headers, status, error, losses.")
@click.argument("file", metavar="FILE", type=click.Path(dir_okay=False, allow_dash=True))
@click.pass_context
def command(
    ctx: click.Context,
    source: Dialect,
    target: Dialect,
    kind: str | None,
    request_file: str | None,
    family: str | None,
    model: str,
    strict: bool,
    as_json: bool,
    file: str,
) -> None:
    """Convert FILE (`-` is stdin) from one dialect to another: anthropic, gemini, openai, openai_responses.

    FILE is a client's request, or with --response or --stream an upstream's answer. The result goes to stdout: for a
    terminal as indented JSON, else byte for byte as it would be sent. What was lost goes to stderr, one line each. Nothing
    is asked for over the network and no configuration is read; made-up ids and the time are always the same.

    Exit code 1: FILE cannot be read or converted, the answer is a failure (its conversion is printed all the same), or
    something is lost and --strict is given.
    """
    if request_file is not None and kind is None:
        raise click.UsageError("--request is for answers: say --response or --stream")
    body = _read(file)
    if kind is None:
        encoded, _ = _encoded(source, target, body, _Asked(model, family), file)
        result = _Result(encoded.body, list(encoded.losses), encoded.path, dict(encoded.headers))
    else:
        asked = None if request_file is None else _asked(target, source, _Asked(model, family), request_file)
        result = _answer(source, target, body, model, asked, stream=kind == "stream")
    _print_result(result, as_json=as_json)
    if not as_json:
        _print_losses(result)
    if result.error is not None:
        output.note(f"{_name(file)}: the answer is a failure: {printable(result.error.message)}")
    if strict and result.losses:
        output.note(f"strict: {_count(result.losses)}")
    if result.error is not None or (strict and result.losses):
        ctx.exit(1)


def _read(file: str) -> bytes:
    with click.open_file(file, "rb") as opened:
        content: bytes = opened.read()
    return content


def _name(file: str) -> str:
    return "stdin" if file == "-" else printable(output.tilde(file))


def _encoded(source: Dialect, target: Dialect, body: bytes, asked: _Asked, file: str) -> tuple[Encoded, Request]:
    """The request in `body` written in `target`, and as it was read. Raises CommandError that names the file and the
    place in it."""
    from ccproxy.lightllm.dialect import Target
    from ccproxy.lightllm.families import capabilities

    try:
        # Some dialects have the model in the path, which the file does not hold.
        request = source.decode_request(body, model=asked.model)
        model = asked.model or request.model
        if not model:
            raise CommandError(f"{_name(file)}: the request names no model", hint="say which with --model")
        takes = capabilities(target.name, asked.family or target.name, model)
        return target.encode_request(request, Target(model=asked.model, capabilities=takes)), request
    except BadRequest as problem:
        raise CommandError(f"{_name(file)}: {printable(problem.message)}", hint=problem.hint) from None


def _asked(client: Dialect, upstream: Dialect, asked: _Asked, file: str) -> tuple[Context, Encoded]:
    """The context of an answer to the request in `file`, and the request as the upstream got it."""
    encoded, request = _encoded(client, upstream, _read(file), asked, file)
    return _context(asked.model, request), encoded


def _context(model: str, request: Request | None = None) -> Context:
    from ccproxy.lightllm.dialect import Context

    numbers = itertools.count(1)
    return Context(request, model, new_id=lambda: f"{next(numbers):024x}", now=lambda: _TIME)


def _answer(
    source: Dialect,
    target: Dialect,
    body: bytes,
    model: str,
    asked: tuple[Context, Encoded] | None,
    *,
    stream: bool,
) -> _Result:
    from ccproxy.lightllm.translate import DocumentTranslator, StreamTranslator, filters_of

    context, filters = (asked[0], filters_of(asked[1])) if asked else (_context(model), [])
    if stream:
        form: StreamForm = "json_array" if body.lstrip().startswith(b"[") else "sse"
        translator = StreamTranslator(source, target, context, filters=filters, upstream_form=form)
        written, status = translator.feed(body) + translator.eof(), 200
        error = translator.error
        if translator.early_error is not None:
            # As in the proxy: before the first content, the client gets a status and an error body.
            status, written = target.encode_error(translator.early_error)
    else:
        documents = DocumentTranslator(source, target, context, filters=filters)
        answer = documents.translate(body)
        written, status, error = answer.body, answer.status, documents.error
    return _Result(written, list(context.ledger), status=status, error=error)


# Printing


def _print_result(result: _Result, *, as_json: bool) -> None:
    import msgspec

    from ccproxy.lightllm.jsontext import JsonError, dumps, loads

    try:
        loads(result.body)
        # As it is: numbers and escapes keep their spelling.
        value: object = msgspec.Raw(result.body)
    except JsonError:
        value = result.body.decode()
    if as_json:
        error = result.error
        document = {
            "result": value,
            "path": result.path,
            "headers": result.headers,
            "status": result.status,
            "error": None if error is None else {"kind": error.kind, "message": error.message},
            "losses": [_loss(loss) for loss in result.losses],
        }
        output.say(_pretty(dumps(document)))
    elif output.terminal():
        output.say("\n".join(map(printable, value.split("\n"))) if isinstance(value, str) else _pretty(result.body))
    else:
        click.echo(result.body, nl=False)


def _pretty(document: bytes) -> str:
    """A JSON document indented, and safe for a terminal."""
    import msgspec

    from ccproxy.flows.text import printable_json

    return printable_json(msgspec.json.format(document, indent=2).decode())


def _loss(loss: Loss) -> dict[str, str]:
    return {
        "path": loss.path,
        "kind": loss.kind,
        "from": loss.source,
        "to": loss.target,
        "reason": loss.reason,
    }


def _print_losses(result: _Result) -> None:
    if result.path is not None:
        headers = "".join(f", {name}: {value}" for name, value in result.headers.items())
        output.note(f"request for POST {printable(result.path)}{headers}")
    elif result.status is not None and result.status != 200:
        output.note(f"answer with status {result.status}")
    output.note(_count(result.losses) + (":" if result.losses else ""))
    for line in _lines(result.losses):
        click.echo(line, err=True)
    sys.stderr.flush()


def _count(losses: list[Loss]) -> str:
    match len(losses):
        case 0:
            return "nothing is lost"
        case 1:
            return "1 loss"
        case number:
            return f"{number} losses"


def _lines(losses: Iterable[Loss]) -> list[str]:
    """A line for each loss, as `ccproxy flows show` has them."""
    lines = []
    for loss in losses:
        change = " -> ".join(part for part in (loss.source, loss.target) if part)
        lines.append(printable(f"  {loss.path}: {loss.kind}{f' ({change})' if change else ''}; {loss.reason}"))
    return lines
