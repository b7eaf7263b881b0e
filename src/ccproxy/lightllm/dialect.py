"""What a dialect is: one registered value, with everything that the rest of the package asks of it.

A dialect's folder defines `DIALECT` and nothing else looks inside. Its functions are pure and know no other dialect:
requests become `Request` and back, answers become events and back, errors `ErrorInfo` and back. What differs between
providers of one dialect is a value of `Capabilities`, never a name.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

import msgspec

from ccproxy.lightllm.errors import ErrorInfo
from ccproxy.lightllm.ir.events import Event
from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.lightllm.ir.request import Request
from ccproxy.lightllm.schema_rules import ANYTHING, SchemaRules
from ccproxy.lightllm.toolnames import ToolNames

#: What a dialect may be asked to do, whatever it calls it.
type Operation = Literal["generate", "count_tokens", "models", "model"]


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What an upstream accepts. A dialect has the values of its own provider; another provider that speaks it
    differs by replacing some. `adapt` brings a request within these before the dialect writes it.

    Attributes:
        image_types: media types of images; empty = none at all.
        image_detail: whether an image may say how closely to look.
        image_urls, document_urls: whether media may be given by URL (the provider fetches it).
        document_types: media types of documents; empty = none.
        audio_types: media types of recordings; empty = none.
        result_media: whether tool results may hold images and documents.
        answer_media: whether answers of the history may hold images, documents and recordings.
        system_anywhere: whether system messages may stand in mid-conversation.
        thinking: which thinking parts of the history may go back: `signed` (only with a signature of this upstream),
            `any`, or `none`.
        custom_tools: whether there are freeform tools.
        namespaces: whether tools may be grouped by name.
        tool_name: pattern of a legal tool name.
        hosted_tools: kinds of provider-defined tools (our words) that the dialect can define.
        allowed_tools: whether a tool choice can name several tools.
        forced_calls: whether a tool choice can demand a call.
        parallel_control: whether parallel calls can be forbidden.
        sampling: names of the `Sampling` fields it has; empty for a model that refuses them all.
        temperature: lowest and highest temperature.
        two_cuts: whether temperature and `top_p` may be given together.
        max_stop: the most stop sequences; 0 = it has none. What is beyond is cut on the way back.
        blank_stop: whether a stop sequence may be white space alone.
        needs_max_tokens: whether the limit must be given.
        max_tokens: whether a limit may be given.
        json_mode, json_schema: the forms of structured output.
        json_word: where JSON mode wants the word JSON: in a message (`messages`), also among the instructions
            (`anywhere`), or "" where it does not.
        efforts: effort words, rising; empty = it has no words.
        budgets: whether thinking takes a budget in tokens.
        max_budget: the highest such budget; None = any.
        adaptive: whether thinking takes "decide yourself" together with an effort word.
        reasoning: whether thinking can be asked for at all.
        thinking_off: whether thinking can be forbidden.
        thinks_unasked: whether it thinks when nothing is said about it.
        cache_marks, cache_key: the ways to help its prompt cache.
        user, metadata, verbosity: whether it has these fields.
        legacy_limit: whether the limit goes by the dialect's older name (Chat: `max_tokens`).
        developer_role: whether messages may be a developer's; else they are the system's.
        text_parts: whether instructions, answers of the history and tool results may be several texts; else they are
            joined.
        stream_usage: whether a stream must be asked for its usage.
        thinking_switch: whether thinking is turned on and off by `thinking: {type}` alone, beside an effort word.
        enable_thinking: the same by `enable_thinking`, beside a budget (Qwen).
        demands_thinking: whether the thinking before a tool call must come back in every later request
            (`reasoning_store` keeps it for clients that do not send it).
        schema: what it takes of JSON Schema as a tool's arguments.
        strict_schema: the same for a tool or an answer that is bound to its schema.
        output_schema: the same for an answer.
        envelope: whether a request stands inside of `{"request": ...}` (Gemini's Code Assist); None = as it came.
    """

    image_types: frozenset[str] = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
    image_detail: bool = False
    image_urls: bool = True
    document_types: frozenset[str] = frozenset({"application/pdf"})
    document_urls: bool = True
    audio_types: frozenset[str] = frozenset()
    result_media: bool = True
    answer_media: bool = True
    system_anywhere: bool = True
    thinking: Literal["signed", "any", "none"] = "any"
    custom_tools: bool = False
    namespaces: bool = False
    tool_name: str = r"[a-zA-Z0-9_-]{1,64}"
    hosted_tools: frozenset[str] = frozenset()
    allowed_tools: bool = False
    forced_calls: bool = True
    parallel_control: bool = True
    sampling: frozenset[str] = frozenset({"temperature", "top_p"})
    temperature: tuple[float, float] = (0.0, 2.0)
    two_cuts: bool = True
    max_stop: int = 4
    blank_stop: bool = True
    needs_max_tokens: bool = False
    max_tokens: bool = True
    json_mode: bool = True
    json_schema: bool = True
    json_word: Literal["", "messages", "anywhere"] = ""
    efforts: tuple[str, ...] = ()
    budgets: bool = False
    max_budget: int | None = None
    adaptive: bool = False
    reasoning: bool = True
    thinking_off: bool = True
    thinks_unasked: bool = False
    cache_marks: bool = False
    cache_key: bool = False
    user: bool = True
    metadata: bool = False
    verbosity: bool = False
    legacy_limit: bool = False
    developer_role: bool = True
    text_parts: bool = True
    stream_usage: bool = True
    thinking_switch: bool = False
    enable_thinking: bool = False
    demands_thinking: bool = False
    schema: SchemaRules = ANYTHING
    strict_schema: SchemaRules = ANYTHING
    output_schema: SchemaRules = ANYTHING
    envelope: bool | None = None


class Target(msgspec.Struct, frozen=True):
    """Where a request goes.

    Attributes:
        model: the model to ask for; "" keeps the request's.
        stream: whether to ask the upstream for a stream; None keeps the request's.
        origin: the tag of this upstream's signatures; "" is the dialect's name.
        capabilities: what it accepts; None is the dialect's own.
        default_max_tokens: used where a limit must be given and none was.
        repair: put broken histories right (`lightllm.repair`).
    """

    model: str = ""
    stream: bool | None = None
    origin: str = ""
    capabilities: Capabilities | None = None
    default_max_tokens: int = 8192
    repair: bool = False


class Encoded(msgspec.Struct, frozen=True):
    """A request ready to be sent.

    Attributes:
        body: the JSON document.
        path: path and query below the provider's base, with the model in it where the dialect wants that.
        headers: header fields the dialect needs (name and value, lower-case names).
        losses: what could not be carried over.
        stop: stop sequences that the upstream will not watch for, to be cut on the way back.
        names: how tools were renamed, to be undone on the way back.
        request: the request as written, after adaptation.
    """

    body: bytes
    path: str
    headers: tuple[tuple[str, str], ...]
    losses: LossLedger
    request: Request
    stop: tuple[str, ...] = ()
    names: ToolNames = msgspec.field(default_factory=ToolNames)


class Frame(msgspec.Struct, gc=False):
    """One event on its way to a client: a JSON value (or bytes to be sent as they are), and its SSE name if it has one.
    A frame whose data is None is a keep-alive without content (an SSE comment)."""

    data: Any
    name: str | None = None


#: A keep-alive for dialects whose clients ignore comments.
COMMENT = Frame(None)


def _token() -> str:
    return os.urandom(12).hex()


def _now() -> int:
    return int(time.time())


class Context(msgspec.Struct):
    """What decoders and encoders of one answer share.

    Attributes:
        request: the client's request, where there is one: encoders echo parts of it and know what was asked for.
        model: the model name to report to the client; "" reports what the upstream says.
        origin: the tag for signatures of this upstream; "" is its dialect's name.
        ledger: where losses of the answer are recorded.
        new_id: gives a random token of letters and digits.
        now: gives the time in whole seconds since the epoch.
    """

    request: Request | None = None
    model: str = ""
    origin: str = ""
    ledger: LossLedger = msgspec.field(default_factory=LossLedger)
    new_id: Callable[[], str] = _token
    now: Callable[[], int] = _now


class Decoder(Protocol):
    """An upstream's answer becomes events. Never raises; whatever comes, the events obey the grammar, and after
    `document` or `eof` they are complete. (`machine.BaseDecoder` sees to it.)"""

    def frame(self, name: str | None, data: bytes) -> list[Event]:
        """The events of one frame of a stream. `name` is its SSE event name, if any."""
        ...

    def document(self, body: bytes) -> list[Event]:
        """The events of a whole buffered answer (status 2xx), through the same handlers as frames."""
        ...

    def eof(self) -> list[Event]:
        """The stream ended: nothing if it was complete, else the failure that says it was cut."""
        ...

    def fail(self, error: ErrorInfo) -> list[Event]:
        """The stream cannot go on for the reason given; nothing if it was complete."""
        ...


class Encoder(Protocol):
    """Events become an answer in the client's dialect. Never raises on events that obey the grammar."""

    def event(self, event: Event) -> list[Frame]:
        """The frames that say `event`."""
        ...

    def keepalive(self) -> list[Frame]:
        """A frame that keeps the client waiting; none where its SDK would stumble over it."""
        ...


class SocketRequest(msgspec.Struct, frozen=True):
    """A request that came as a message of a WebSocket.

    Attributes:
        body: what by HTTP would have been its body, with the whole conversation.
        generate: whether an answer is wanted; if not, `SocketConversation.prewarmed` is all there is to say.
        stream_id: the client's name for this exchange on the socket, or "".
    """

    body: bytes
    generate: bool
    stream_id: str


class SocketConversation(Protocol):
    """One WebSocket of a client, whose requests are answered by HTTP streams.

    Attributes:
        ended: the answer to the last request has had its last event, good or bad.
    """

    ended: bool

    def create(self, message: bytes | str) -> SocketRequest | ErrorInfo:
        """The request in a message, or an error for the client. Raises BadRequest for what is none."""
        ...

    def prewarmed(self, context: Context, stream_id: str) -> list[bytes]:
        """The messages that answer a request which generates nothing."""
        ...

    def event(self, data: bytes, stream_id: str) -> bytes | None:
        """The message for the data of one SSE event, or None if there is none."""
        ...

    def error(self, error: ErrorInfo, stream_id: str) -> bytes:
        """The message for an error."""
        ...


class ModelInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """A model in a list. `owner` is the configured provider that has it; `created` is seconds since the epoch."""

    id: str
    name: str = ""
    owner: str = ""
    created: int = 0
    max_input: int | None = None
    max_output: int | None = None
    extras: dict[str, Any] = {}


class Paths(msgspec.Struct, frozen=True):
    """Where a dialect's operations live below a provider's base. `{model}` is filled in; `stream` is the path of a
    streamed generation where it is another one."""

    generate: str
    count_tokens: str = ""
    models: str = ""
    model: str = ""
    stream: str = ""

    def of(self, operation: Operation, model: str = "", *, stream: bool = False) -> str:
        """The path of an operation, or "" if the dialect has none. The model is percent-encoded where needed."""
        template: str = (
            (self.stream or self.generate) if stream and operation == "generate" else getattr(self, operation)
        )
        if "{model}" not in template:
            return template
        from urllib.parse import quote

        return template.replace("{model}", quote(model, safe="/-._~@"))


type RequestDecoder = Callable[[bytes, str, bool | None], Request]
type RequestWriter = Callable[[Request, Target, Capabilities, LossLedger], bytes]
type StreamForm = Literal["sse", "json_array"]


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """One dialect.

    Attributes:
        name: the word for it everywhere: folder, `type`s, flows.
        capabilities: those of the provider that defines it.
        paths: where its operations are.
        headers: header fields that a converted request needs.
        match: path (without query) → operation, or "" if the path is not this dialect's.
        read_request: (body, model from the path or "", stream from the path or None) → Request. Raises BadRequest.
        write_request: an adapted request → body; adds its own losses. Use `encode_request`.
        decoder, encoder: new machines for one answer.
        collect: the frames of one answer → its buffered document. Only for answers that did not fail.
        decode_error: (status, body) → what is wrong. Never raises.
        encode_error: → (status, body).
        stream_form: how a client that did not say otherwise gets its stream, and so how an upstream sends one.
        decode_count: the body of a token count → the number. Raises UpstreamError.
        encode_count: the number → the body.
        write_count_request: an adapted request → body of a token count; None where there is no such operation.
        decode_models: the body of a model list. Raises UpstreamError.
        encode_models: (models) → body of the list.
        encode_model: one model → body.
        conversation: for a dialect that is also spoken over a WebSocket: one of them.
    """

    name: str
    capabilities: Capabilities
    paths: Paths
    match: Callable[[str], Operation | Literal[""]]
    read_request: RequestDecoder
    write_request: RequestWriter
    decoder: Callable[[Context], Decoder]
    encoder: Callable[[Context], Encoder]
    collect: Callable[[Sequence[Frame]], bytes]
    decode_error: Callable[[int, bytes], ErrorInfo]
    encode_error: Callable[[ErrorInfo], tuple[int, bytes]]
    headers: tuple[tuple[str, str], ...] = ()
    stream_form: StreamForm = "sse"
    decode_count: Callable[[bytes], int] | None = None
    encode_count: Callable[[int], bytes] | None = None
    write_count_request: RequestWriter | None = None
    decode_models: Callable[[bytes], list[ModelInfo]] | None = None
    encode_models: Callable[[Sequence[ModelInfo]], bytes] | None = None
    encode_model: Callable[[ModelInfo], bytes] | None = None
    conversation: Callable[[], SocketConversation] | None = None

    def decode_request(self, body: bytes, *, model: str = "", stream: bool | None = None) -> Request:
        """A client's request as a value. `model` and `stream` are what the path said, for dialects that say it there.
        Raises BadRequest that names the field at fault."""
        return self.read_request(body, model, stream)

    def encode_request(
        self, request: Request, target: Target, *, operation: Operation = "generate", losses: LossLedger | None = None
    ) -> Encoded:
        """`request` in this dialect, brought within what the target accepts. Raises Untranslatable for what cannot be
        said and must not be left out."""
        from ccproxy.lightllm.adapt import adapt

        ledger = LossLedger() if losses is None else losses
        capabilities = target.capabilities or self.capabilities
        adapted = adapt(request, self.name, target, capabilities, ledger)
        write = self.write_request
        if operation == "count_tokens":
            if self.write_count_request is None:
                raise ValueError(f"the dialect {self.name} has no token count")
            write = self.write_count_request
        return Encoded(
            body=write(adapted.request, target, capabilities, ledger),
            path=self.paths.of(operation, adapted.request.model, stream=adapted.request.stream),
            headers=self.headers,
            losses=ledger,
            request=adapted.request,
            stop=adapted.stop,
            names=adapted.names,
        )
