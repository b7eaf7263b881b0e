"""Requests: `POST /v1/responses` (and `input_tokens`) read into the IR and written from it.

Declared normalisations of reading and writing back: `input` that is a text is a user's message, content that is a text
is one `input_text` (of an answer without an id: one text is a text); null is absent; `type: message`, `detail: auto`,
`annotations: []` are written out; `status: completed` only where a message has an id; `format: {"type": "text"}` and
empty `logprobs` are absent; a tool's absent `strict` is null, its absent `parameters` an object without properties;
`generate_summary` is `summary`; calls' arguments that are an object are its JSON.

An extra whose value is None is a note of the reader to the writer: the client's own words did not say the field. So a
request that comes from another dialect, and says nothing, gets what a converted conversation needs (`store: false`; if
it thinks, the reasoning sealed so that it can come back), and the client's own request does not.
"""

from __future__ import annotations

import re

from ccproxy.errors import BadRequest, Untranslatable
from ccproxy.lightllm.dialect import Capabilities, Target
from ccproxy.lightllm.dialects.openai_responses.content import NAME
from ccproxy.lightllm.dialects.openai_responses.read import read_input
from ccproxy.lightllm.dialects.openai_responses.tools import (
    additional_tools,
    read_tool_choice,
    read_tools,
    write_tool_choice,
    write_tools,
)
from ccproxy.lightllm.dialects.openai_responses.write import write_input
from ccproxy.lightllm.fields import Fields, ShapeError, as_text
from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.lightllm.ir.parts import JsonObject, Opaque, Part, Text
from ccproxy.lightllm.ir.reasoning import BUDGETS, effort_of, nearest_effort
from ccproxy.lightllm.ir.request import Output, Reasoning, Request, Sampling, State
from ccproxy.lightllm.jsontext import JsonError, dumps, loads
from ccproxy.lightllm.schema import strict_problem, translate
from ccproxy.lightllm.schema_rules import SchemaRules

#: Asks for the reasoning in a form that can be sent back.
ENCRYPTED = "reasoning.encrypted_content"

#: The least `max_output_tokens`.
_LEAST_TOKENS = 16

#: The most characters of `user` and `prompt_cache_key`.
_ID_LENGTH = 64

_SCHEMA_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")

#: Fields of a request that a token count takes, beside those that the writer adds.
_COUNTED = ("truncation", "conversation", "previous_response_id", "personality")


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
    groups: dict[str, JsonObject] = {}
    messages = read_input(fields.value("input"))
    tools = (*additional_tools(messages, groups), *read_tools(fields.items("tools"), groups))
    text = fields.fields("text")
    output = _read_output(text)
    instructions = fields.text("instructions")
    streams = fields.flag("stream")
    state, noted = _read_state(fields)
    include = [as_text(one, f"include[{i}]") for i, one in enumerate(fields.items("include"))]
    request = Request(
        model=fields.text("model") or model,
        dialect=NAME,
        messages=messages,
        system=(Text(instructions),) if instructions else (),
        tools=tools,
        namespaces={name: str(said.pop("description", None) or "") for name, said in groups.items()},
        tool_choice=read_tool_choice(fields.value("tool_choice"), tools),
        parallel_tools=fields.flag("parallel_tool_calls"),
        max_tokens=fields.integer("max_output_tokens"),
        sampling=Sampling(fields.number("temperature"), fields.number("top_p")),
        output=output,
        reasoning=_read_reasoning(fields.fields("reasoning")),
        cache_key=fields.text("prompt_cache_key"),
        stream=bool(streams if stream is None else stream),
        user=fields.text("user"),
        metadata=fields.mapping("metadata") or {},
        state=state,
        extras={name: value for name, value in fields.rest().items() if value is not None},
    )
    extras = request.extras
    extras |= noted
    # Always there, so that the writer knows its own.
    extras["include"] = [one for one in include if one != ENCRYPTED] or None
    if ENCRYPTED in include:
        extras[ENCRYPTED] = None
    if rest := {name: value for name, value in text.rest().items() if value is not None}:
        extras["text"] = rest
    if any(groups.values()):
        extras["namespaces"] = groups
    return request


def _read_state(fields: Fields) -> tuple[State, JsonObject]:
    """What ties the request to OpenAI, and what of it has more than the IR has room for."""
    noted: JsonObject = {}
    conversation = fields.value("conversation")
    if isinstance(conversation, dict):
        noted["conversation"] = conversation
        conversation = conversation.get("id")
    prompt = fields.mapping("prompt")
    if prompt is not None:
        noted["prompt"] = prompt
    store = fields.flag("store")
    state = State(
        previous_response=fields.text("previous_response_id"),
        conversation=as_text(conversation or "", "conversation"),
        background=bool(fields.flag("background")),
        store=store,
        prompt=as_text((prompt or {}).get("id") or "", "prompt.id"),
    )
    return state, noted


def _read_output(text: Fields) -> Output:
    verbosity = text.text("verbosity")
    given = text.fields("format")
    kind = given.text("type", "text")
    match kind:
        case "text":
            return Output(verbosity=verbosity)
        case "json_object":
            return Output("json", verbosity=verbosity)
        case "json_schema":
            schema = given.mapping("schema") or {}
            name, description = given.text("name"), given.text("description")
            return Output("schema", schema, name, description, given.flag("strict"), verbosity)
    raise ShapeError(f"text.format.type: {kind[:40]!r} is not known")


def _read_reasoning(fields: Fields) -> Reasoning:
    effort = fields.text("effort")
    old = fields.text("generate_summary")
    summary = fields.text("summary") or old
    if summary not in ("", "auto", "concise", "detailed", "none"):
        fields.put_back("summary", summary)
        summary = "auto"
    rest = {name: value for name, value in fields.rest().items() if value is not None}
    if effort == "none":
        return Reasoning("off", "", None, summary, rest)  # type: ignore[arg-type]
    return Reasoning("on" if effort else "", effort, None, summary, rest)  # type: ignore[arg-type]


# Writing


def write_request(request: Request, target: Target, capabilities: Capabilities, ledger: LossLedger) -> bytes:
    """The body of a generation. `request` is adapted. `input` stands last, so that what a conversation repeats is a
    prefix of the next request."""
    own = "include" in request.extras
    extras = {name: value for name, value in request.extras.items() if name not in _WRITTEN and value is not None}
    body: JsonObject = {"model": request.model}
    if request.stream:
        body["stream"] = True
    _knobs(body, request, capabilities, ledger, own)
    _state(body, request, own)
    _shared(body, request, capabilities, ledger, own)
    include = list(request.extras.get("include") or ())
    thinks = "reasoning" in body and body["reasoning"].get("effort") != "none"
    if ENCRYPTED in request.extras or (thinks and not own):
        include.insert(0, ENCRYPTED)
    if include:
        body["include"] = include
    return dumps(_with_input(body | extras, request, ledger, own))


#: Extras that are written at their own place.
_WRITTEN = ("include", ENCRYPTED, "namespaces", "text", "conversation", "prompt")


def write_count_request(request: Request, target: Target, capabilities: Capabilities, ledger: LossLedger) -> bytes:
    """The body of a token count: what counts, and nothing of how to generate."""
    own = "include" in request.extras
    body: JsonObject = {"model": request.model}
    _shared(body, request, capabilities, ledger, own)
    if request.state.previous_response:
        body["previous_response_id"] = request.state.previous_response
    body |= {name: request.extras[name] for name in _COUNTED if request.extras.get(name) is not None}
    return dumps(_with_input(body, request, ledger, own))


def _shared(body: JsonObject, request: Request, capabilities: Capabilities, ledger: LossLedger, own: bool) -> None:
    if reasoning := _write_reasoning(request.reasoning, capabilities, ledger, own):
        body["reasoning"] = reasoning
    if text := write_text(request, capabilities.strict_schema, ledger, own=own):
        body["text"] = text
    if request.parallel_tools is not None and (request.tools or own):
        body["parallel_tool_calls"] = request.parallel_tools
    if tools := write_tools(request, ledger):
        body["tools"] = tools
    if (choice := write_tool_choice(request)) is not None:
        body["tool_choice"] = choice


def _with_input(body: JsonObject, request: Request, ledger: LossLedger, own: bool) -> JsonObject:
    if instructions := write_instructions(request.system, ledger):
        body["instructions"] = instructions
    if request.messages or not own:
        body["input"] = write_input(request.messages, ledger, own=own)
    return body


def write_instructions(system: tuple[Part, ...], ledger: LossLedger) -> str:
    """`instructions`: the texts of the system prompt, a blank line between them."""
    texts: list[str] = []
    for index, part in enumerate(system):
        if not isinstance(part, Text):
            kind = part.type if isinstance(part, Opaque) else type(part).__name__.lower()
            raise Untranslatable(f"system[{index}]: a {kind} in the instructions, which are text")
        if part.cache is not None:
            ledger.dropped(f"system[{index}].cache_control", "instructions have no cache marks", part.cache.ttl or None)
        texts.append(part.text)
    return "\n\n".join(text for text in texts if text)


def _knobs(body: JsonObject, request: Request, capabilities: Capabilities, ledger: LossLedger, own: bool) -> None:
    limit = request.max_tokens
    if limit is not None:
        if limit < _LEAST_TOKENS and not own:
            ledger.approximated("max_tokens", "OpenAI's least limit is 16", limit, _LEAST_TOKENS, "raised")
            limit = _LEAST_TOKENS
        body["max_output_tokens"] = limit
    for name in ("temperature", "top_p"):
        value = getattr(request.sampling, name)
        if value is not None:
            body[name] = value
    if request.user:
        user = request.user if own else _short_id(request.user)
        if user != request.user:
            ledger.approximated("user", "OpenAI takes 64 characters", request.user, user, "hashed")
        body["user"] = user
    if request.metadata:
        body["metadata"] = request.metadata
    if request.cache_key:
        key = request.cache_key if own else _short_id(request.cache_key)
        if key != request.cache_key:
            ledger.approximated("prompt_cache_key", "OpenAI takes 64 characters", request.cache_key, key, "hashed")
        body["prompt_cache_key"] = key


def _short_id(value: str) -> str:
    """An id that is too long as its hash: the same for the same, and telling others apart."""
    if len(value) <= _ID_LENGTH:
        return value
    import hashlib

    return hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _state(body: JsonObject, request: Request, own: bool) -> None:
    state = request.state
    if state.store is not None or not own:
        body["store"] = bool(state.store)
    if state.previous_response:
        body["previous_response_id"] = state.previous_response
    if state.background:
        body["background"] = True
    if state.conversation:
        body["conversation"] = request.extras.get("conversation", state.conversation)
    if state.prompt:
        body["prompt"] = request.extras.get("prompt", {"id": state.prompt})


def _write_reasoning(reasoning: Reasoning, capabilities: Capabilities, ledger: LossLedger, own: bool) -> JsonObject:
    written: JsonObject = {}
    effort, summary = reasoning.effort, reasoning.summary
    if reasoning.mode == "off":
        effort = "none"
    elif not own:
        if not effort and reasoning.budget is not None:
            effort = effort_of(reasoning.budget)
        if reasoning.budget is not None and BUDGETS.get(effort) != reasoning.budget:
            ledger.approximated("reasoning.budget", "OpenAI takes words", reasoning.budget, effort)
        if effort and (nearest := nearest_effort(effort, capabilities.efforts)) != effort:
            ledger.approximated("reasoning.effort", "the nearest step the target has", effort, nearest)
            effort = nearest
        if reasoning.mode == "on" and not effort:
            ledger.approximated(
                "reasoning.mode", "OpenAI's models think by default; there is no word for it alone", "on"
            )
        if reasoning.mode == "between_tools":
            ledger.approximated("reasoning.mode", "OpenAI has no such mode", reasoning.mode, "on")
        if not summary and (reasoning.budget is not None or reasoning.mode in ("adaptive", "between_tools")):
            # Who asks like that sees the thinking by default; here it has to be asked for.
            summary = "auto"
    if effort:
        written["effort"] = effort
    if summary not in ("", "none") and (own or effort != "none"):
        written["summary"] = summary
    return written | reasoning.extras


def write_text(request: Request, rules: SchemaRules, ledger: LossLedger, *, own: bool) -> JsonObject:
    """`text`: the form of the answer and its verbosity. `rules` are those of strict schemas."""
    output = request.output
    written: JsonObject = {}
    if output.form == "json":
        written["format"] = {"type": "json_object"}
    elif output.form == "schema":
        written["format"] = _write_schema(output, rules, ledger, own)
    if output.verbosity:
        written["verbosity"] = output.verbosity
    return written | (request.extras.get("text") or {})


def _write_schema(output: Output, rules: SchemaRules, ledger: LossLedger, own: bool) -> JsonObject:
    schema = output.schema or {}
    name, strict = output.name, output.strict
    if not own:
        if not name and isinstance(title := schema.get("title"), str):
            name = title
        name = name or "answer"
        if not _SCHEMA_NAME.fullmatch(name):
            fitting = re.sub(r"[^a-zA-Z0-9_-]", "_", name)[:64]
            if output.name:
                ledger.approximated("output.name", "OpenAI's names are letters, digits, _ and -", name, fitting)
            name = fitting
        if strict is None:
            # Who does not say it (Anthropic, Gemini) holds to the schema.
            if reason := strict_problem(schema, rules):
                ledger.approximated("output.strict", f"OpenAI's strict schemas are narrower: {reason}", True, False)
            else:
                schema = translate(schema, rules, "output.schema", ledger)
            strict = not reason
    written: JsonObject = {"type": "json_schema", "name": name}
    if output.description:
        written["description"] = output.description
    if strict is not None:
        written["strict"] = strict
    return {**written, "schema": schema}
