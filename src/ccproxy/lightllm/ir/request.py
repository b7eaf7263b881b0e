"""A request, in no dialect.

`system` is the dialect's own top-level instruction (Anthropic `system`, Responses `instructions`, Gemini
`systemInstruction`); system and developer messages stand among `messages` in their order. Tool results are parts of
user messages. Fields that are None, "" or empty were not said.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from ccproxy.lightllm.ir.parts import CacheMark, JsonObject, Part

type Role = Literal["system", "developer", "user", "assistant"]


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One turn. `name` tells speakers of one role apart (Chat)."""

    role: Role
    parts: tuple[Part, ...]
    name: str = ""
    extras: JsonObject = {}


class FunctionTool(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="tool", tag="function"):
    """A tool of the client's with a JSON Schema for its arguments (None: takes none)."""

    name: str
    schema: JsonObject | None = None
    description: str = ""
    strict: bool | None = None
    namespace: str = ""
    cache: CacheMark | None = None
    extras: JsonObject = {}


class CustomTool(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="tool", tag="custom"):
    """A tool of the client's that takes free text. `syntax` (`lark`, `regex`) and `grammar` bound the text, or are ""."""

    name: str
    description: str = ""
    syntax: str = ""
    grammar: str = ""
    namespace: str = ""
    extras: JsonObject = {}


class HostedTool(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="tool", tag="hosted"):
    """A tool that the provider defines: it runs it, or the client does by the provider's rules.

    `kind` is what it does in our words (`web_search`, `web_fetch`, `code_execution`, ...) where that is known, else the
    dialect's own type; `raw` is the whole definition.
    """

    dialect: str
    kind: str
    name: str
    raw: JsonObject


type Tool = FunctionTool | CustomTool | HostedTool


class ToolChoice(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which tools may be called.

    `mode`: `auto`, `required` (some tool), `none`, `tool` (the one called `name`). `allowed` narrows `auto` and
    `required` to these names (and then the other tools stay defined for the cache's sake).
    """

    mode: Literal["auto", "required", "none", "tool"]
    name: str = ""
    allowed: tuple[str, ...] = ()
    extras: JsonObject = {}


class Sampling(msgspec.Struct, frozen=True, omit_defaults=True):
    """How to draw tokens."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None


class Output(msgspec.Struct, frozen=True, omit_defaults=True):
    """The form of the answer: free text, any JSON, or JSON of a schema."""

    form: Literal["text", "json", "schema"] = "text"
    schema: JsonObject | None = None
    name: str = ""
    description: str = ""
    strict: bool | None = None
    verbosity: str = ""


class Reasoning(msgspec.Struct, frozen=True, omit_defaults=True):
    """How to think.

    Attributes:
        mode: "" not said, `off`, `on`, `adaptive` (the model decides), `between_tools`.
        effort: a word of `reasoning.BUDGETS`, or the dialect's own, or "".
        budget: the most tokens, or None.
        summary: whether the client wants to see it: "" not said, `none`, `auto`, `concise`, `detailed`.
    """

    mode: Literal["", "off", "on", "adaptive", "between_tools"] = ""
    effort: str = ""
    budget: int | None = None
    summary: Literal["", "none", "auto", "concise", "detailed"] = ""
    extras: JsonObject = {}


class State(msgspec.Struct, frozen=True, omit_defaults=True):
    """What ties a request to things that only one provider keeps. Never converted: see `adapt.refuse_unportable`.
    `thread` is a conversation that the provider is to keep from now on, or goes on with (Anthropic)."""

    previous_response: str = ""
    conversation: str = ""
    background: bool = False
    store: bool | None = None
    prompt: str = ""
    thread: bool = False


class Request(msgspec.Struct, frozen=True, omit_defaults=True):
    """A request for one answer (or a count of its tokens).

    Attributes:
        dialect: the dialect it was written in: whose `extras` these are and whose untagged signatures.
        stream: whether the client wants the answer as it is made.
        include_usage: whether a streaming client asked for usage, where that is a question; None where it is not.
        parallel_tools: whether several tools may be called at once; None when not said.
        max_tokens: the most tokens of the answer (reasoning included).
        cache: mark the end of the prompt as cacheable, wherever it is.
        cache_key: groups requests that share a prefix.
        user: who asks, as an id of the client's own.
        namespaces: descriptions of the groups in `Tool.namespace`.
    """

    model: str
    messages: tuple[Message, ...]
    dialect: str = ""
    system: tuple[Part, ...] = ()
    tools: tuple[Tool, ...] = ()
    namespaces: dict[str, str] = {}
    tool_choice: ToolChoice | None = None
    parallel_tools: bool | None = None
    max_tokens: int | None = None
    sampling: Sampling = Sampling()
    stop: tuple[str, ...] = ()
    output: Output = Output()
    reasoning: Reasoning = Reasoning()
    cache: CacheMark | None = None
    cache_key: str = ""
    stream: bool = False
    include_usage: bool | None = None
    candidates: int | None = None
    user: str = ""
    metadata: JsonObject = {}
    state: State = State()
    extras: JsonObject = {}
