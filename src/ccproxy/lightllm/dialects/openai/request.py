"""Requests: `POST /v1/chat/completions` read into the IR and written from it.

Declared normalisations of reading and writing back: content that is one plain text is a string; null and empty lists
are absent; `content: null` beside calls; one stop sequence is a list; `n: 1`, `store: false`, `response_format: text`
and a tool choice without tools are absent; so is `strict: false` of an answer's schema; arguments `""` are `{}`; a call's `index` is absent; refusals in content
are `refusal`; thinking said in two fields is said in one; a stream is always asked for its usage.
"""

from __future__ import annotations

import re

from ccproxy.errors import BadRequest
from ccproxy.lightllm.dialect import Capabilities, Target
from ccproxy.lightllm.dialects.openai.read import read_cache, read_messages
from ccproxy.lightllm.dialects.openai.spelling import NAME, said, spelled
from ccproxy.lightllm.dialects.openai.thinking import read_reasoning, write_reasoning
from ccproxy.lightllm.dialects.openai.tools import read_tool_choice, read_tools, write_cache, write_tools
from ccproxy.lightllm.dialects.openai.write import MessageWriter
from ccproxy.lightllm.fields import Fields, ShapeError
from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.lightllm.ir.parts import JsonObject
from ccproxy.lightllm.ir.request import Output, Request, Sampling, State
from ccproxy.lightllm.jsontext import JsonError, dumps, loads

_SAMPLING = ("temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty", "seed")

#: The longest `user` that OpenAI takes.
_LONGEST_USER = 64

_SCHEMA_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def read_request(body: bytes, model: str, stream: bool | None) -> Request:
    """The request in `body`. Raises BadRequest that names the field at fault."""
    try:
        return _read(Fields(loads(body), ""), model, stream)
    except JsonError as problem:
        raise BadRequest(f"the body is not JSON: {problem}") from None
    except ShapeError as problem:
        raise BadRequest(str(problem)) from None
    except RecursionError:
        raise BadRequest("the body is nested too deeply") from None


def _read(fields: Fields, model: str, stream: bool | None) -> Request:
    spelling: JsonObject = {}
    options = fields.fields("stream_options")
    streams = fields.flag("stream")
    streams = bool(streams if stream is None else stream)
    wants_usage = options.flag("include_usage")
    limit, older = fields.integer("max_completion_tokens"), fields.integer("max_tokens")
    if limit is None and older is not None:
        limit = older
        spelling["max_tokens"] = None
    elif older is not None:
        fields.put_back("max_tokens", older)
    user, safety = fields.text("user"), fields.text("safety_identifier")
    if safety and not user:
        user = safety
        spelling["safety_identifier"] = None
    elif safety:
        fields.put_back("safety_identifier", safety)
    if fields.has("functions"):
        spelling["functions"] = None
    output = _output(fields)
    return Request(
        model=fields.text("model") or model,
        dialect=NAME,
        messages=read_messages(fields.value("messages")),
        tools=read_tools(fields),
        tool_choice=read_tool_choice(fields),
        parallel_tools=fields.flag("parallel_tool_calls"),
        max_tokens=limit,
        sampling=_sampling(fields),
        stop=fields.texts("stop"),
        output=output,
        reasoning=read_reasoning(fields),
        cache=read_cache(fields),
        cache_key=fields.text("prompt_cache_key"),
        stream=streams,
        include_usage=bool(wants_usage) if streams else None,
        candidates=fields.integer("n"),
        user=user,
        metadata=fields.mapping("metadata") or {},
        state=State(store=fields.flag("store")),
        extras=_rest(fields, options) | spelling,
    )


def _rest(fields: Fields, options: Fields) -> JsonObject:
    """What no dialect but this one knows."""
    extras = said(fields.rest())
    if rest := said(options.rest()):
        extras["stream_options"] = rest
    return extras


def _sampling(fields: Fields) -> Sampling:
    return Sampling(
        fields.number("temperature"),
        fields.number("top_p"),
        fields.number("top_k"),
        fields.number("frequency_penalty"),
        fields.number("presence_penalty"),
        fields.integer("seed"),
    )


def _output(fields: Fields) -> Output:
    verbosity = fields.text("verbosity")
    given = fields.fields("response_format")
    kind = given.text("type", "text")
    match kind:
        case "text":
            return Output(verbosity=verbosity)
        case "json_object":
            return Output("json", verbosity=verbosity)
        case "json_schema":
            inner = given.fields("json_schema")
            return Output(
                "schema",
                inner.mapping("schema") or {},
                inner.text("name"),
                inner.text("description"),
                bool(inner.flag("strict")),
                verbosity,
            )
    raise ShapeError(f"{given.where('type')}: {kind[:40]!r} is not known")


# Writing


def write_request(request: Request, target: Target, capabilities: Capabilities, ledger: LossLedger) -> bytes:
    """The body of a generation. `request` is adapted. Messages stand last, so that what a conversation repeats is a
    prefix of the next request."""
    body: JsonObject = {"model": request.model}
    extras = request.extras
    if request.max_tokens is not None:
        older = capabilities.legacy_limit or spelled(extras, "max_tokens")
        body["max_tokens" if older else "max_completion_tokens"] = request.max_tokens
    for name in _SAMPLING:
        value = getattr(request.sampling, name)
        if value is not None:
            body[name] = value
    if request.stop:
        body["stop"] = list(request.stop)
    if request.candidates is not None and request.candidates != 1:
        body["n"] = request.candidates
    body |= write_reasoning(request.reasoning, capabilities, ledger)
    _write_output(request.output, body)
    if request.user:
        body["safety_identifier" if spelled(extras, "safety_identifier") else "user"] = _user(request.user, ledger)
    if request.metadata:
        body["metadata"] = request.metadata
    if request.state.store:
        body["store"] = True
    if request.cache is not None:
        body |= write_cache(request.cache)
    if request.cache_key:
        body["prompt_cache_key"] = request.cache_key
    body |= said(extras)
    body.pop("stream_options", None)
    if request.stream:
        body["stream"] = True
        options: JsonObject = {"include_usage": True} if capabilities.stream_usage else {}
        options |= extras.get("stream_options") or {}
        if options:
            body["stream_options"] = options
    body |= write_tools(request, ledger)
    body["messages"] = MessageWriter(capabilities, ledger).write(request)
    return dumps(body)


def _write_output(output: Output, body: JsonObject) -> None:
    if output.verbosity:
        body["verbosity"] = output.verbosity
    if output.form == "json":
        body["response_format"] = {"type": "json_object"}
    elif output.form == "schema":
        schema = output.schema or {}
        title = schema.get("title")
        name = output.name or (title if type(title) is str and _SCHEMA_NAME.fullmatch(title) else "answer")
        inner: JsonObject = {"name": name, "schema": schema}
        if output.description:
            inner["description"] = output.description
        if output.strict:
            inner["strict"] = True
        body["response_format"] = {"type": "json_schema", "json_schema": inner}


def _user(user: str, ledger: LossLedger) -> str:
    """The user's id; a longer one than OpenAI takes as its digest, which groups the same requests."""
    if len(user) <= _LONGEST_USER:
        return user
    import hashlib

    digest = hashlib.sha256(user.encode("utf-8", "surrogatepass")).hexdigest()
    ledger.approximated("user", f"OpenAI takes {_LONGEST_USER} characters", user, digest, "digest")
    return digest
