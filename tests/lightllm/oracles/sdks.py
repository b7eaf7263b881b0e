"""The official SDKs as judges: each asks through its own client, and says what it understood of the answer.

Streams go through the SDK's accumulators, whose result must agree with what the SDK's events said one by one.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, ClassVar, Protocol, Self

import anthropic
import httpx2 as httpx
import openai
from google import genai
from google.genai import errors, types

type Answer = Callable[[httpx.Request], httpx.Response]
type Call = tuple[str, str, dict[str, Any]]


@dataclass(frozen=True)
class Told:
    """What a client knows of an answer.

    Attributes:
        text: what is to be seen, refusals included.
        thinking: what is shown of the reasoning.
        calls: id, name and arguments of each tool call.
        reason: `complete`, `tools`, `truncated` or `refused` (as in `kit.KINDS`).
        input, output: tokens; None where the SDK reports none.
        sources: the URLs cited.
        images: base64 of the pictures.
    """

    text: str
    calls: list[Call]
    reason: str
    input: int | None
    output: int | None
    thinking: str = ""
    sources: set[str] = field(default_factory=set)
    images: list[str] = field(default_factory=list)


class Sdk(Protocol):
    """One SDK. `answer` may be exchanged between requests."""

    name: str
    error: type[Exception]
    answer: Answer

    def __enter__(self) -> Self: ...

    def __exit__(self, *raised: Any) -> None: ...

    def buffered(self, limit: int = 100, stop: Sequence[str] = ()) -> Told: ...

    def streamed(self, limit: int = 100, stop: Sequence[str] = ()) -> Told: ...


class _Base:
    """An SDK's client over a transport that calls `answer`."""

    def __init__(self, client: Callable[[httpx.Client], AbstractContextManager[Any]]) -> None:
        self.answer: Answer = lambda request: httpx.Response(404)
        self.client: Any = client(httpx.Client(transport=httpx.MockTransport(self._answer)))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        return self.answer(request)

    def __enter__(self) -> Self:
        self.client.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.__exit__(kind, error, trace)


class Anthropic(_Base):
    """`anthropic`: `messages.create` and `messages.stream`."""

    name = "anthropic"
    error: type[Exception] = anthropic.APIStatusError
    REASONS: ClassVar = {
        "end_turn": "complete",
        "stop_sequence": "complete",
        "tool_use": "tools",
        "max_tokens": "truncated",
        "model_context_window_exceeded": "truncated",
        "pause_turn": "truncated",
        "refusal": "refused",
    }

    def __init__(self) -> None:
        super().__init__(
            lambda http: anthropic.Anthropic(
                api_key="dummy", base_url="http://127.0.0.1:1", max_retries=0, http_client=http
            )
        )

    def buffered(self, limit: int = 100, stop: Sequence[str] = ()) -> Told:
        return self.told(self.client.messages.create(**self._asked(limit, stop)))

    def streamed(self, limit: int = 100, stop: Sequence[str] = ()) -> Told:
        with self.client.messages.stream(**self._asked(limit, stop)) as stream:
            texts = [event.text for event in stream if event.type == "text"]
            told = self.told(stream.get_final_message())
        assert "".join(texts) == told.text
        return told

    def _asked(self, limit: int, stop: Sequence[str]) -> dict[str, Any]:
        return {"model": "m", "max_tokens": limit, "messages": USER, **({"stop_sequences": stop} if stop else {})}

    def told(self, message: anthropic.types.Message) -> Told:
        blocks: list[Any] = message.content
        usage = message.usage
        cited = [one for block in blocks if block.type == "text" for one in block.citations or ()]
        given = (usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens)
        return Told(
            "".join(block.text for block in blocks if block.type == "text"),
            [(block.id, block.name, block.input) for block in blocks if block.type == "tool_use"],
            self.REASONS[message.stop_reason or ""],
            sum(count or 0 for count in given),
            usage.output_tokens,
            "".join(block.thinking for block in blocks if block.type == "thinking"),
            {url for one in cited if (url := getattr(one, "url", None) or getattr(one, "source", None))},
        )


class Chat(_Base):
    """`openai`: `chat.completions.create` and `.stream`."""

    name = "openai"
    error: type[Exception] = openai.APIError
    REASONS: ClassVar = {"stop": "complete", "tool_calls": "tools", "length": "truncated", "content_filter": "refused"}

    def __init__(self) -> None:
        super().__init__(_openai)

    def buffered(self, limit: int = 100, stop: Sequence[str] = ()) -> Told:
        return self.told(self.client.chat.completions.create(**self._asked(limit, stop)))

    def streamed(self, limit: int = 100, stop: Sequence[str] = ()) -> Told:
        asked = self._asked(limit, stop) | {"stream_options": {"include_usage": True}}
        with self.client.chat.completions.stream(**asked) as stream:
            texts = [event.delta for event in stream if event.type in ("content.delta", "refusal.delta")]
            # `get_final_completion` raises at what was cut or filtered, which is right; here it is to be seen.
            told = self.told(stream.current_completion_snapshot)
        assert "".join(texts) == told.text
        return told

    def _asked(self, limit: int, stop: Sequence[str]) -> dict[str, Any]:
        return {"model": "m", "max_completion_tokens": limit, "messages": USER, **({"stop": stop} if stop else {})}

    def told(self, completion: openai.types.chat.ChatCompletion) -> Told:
        (choice,) = completion.choices
        message: Any = choice.message
        usage = completion.usage
        reason = self.REASONS[choice.finish_reason]
        return Told(
            (message.content or "") + (message.refusal or ""),
            [
                (call.id, call.function.name, json.loads(call.function.arguments or "{}"))
                for call in message.tool_calls or ()
                if call.type == "function"
            ],
            "refused" if message.refusal else reason,
            usage and usage.prompt_tokens,
            usage and usage.completion_tokens,
            _thoughts(message),
            {one.url_citation.url for one in message.annotations or ()},
            [one["image_url"]["url"].partition(",")[2] for one in getattr(message, "images", None) or ()],
        )


class Responses(_Base):
    """`openai`: `responses.create` and `responses.stream`."""

    name = "openai_responses"
    error: type[Exception] = openai.APIError
    REASONS: ClassVar = {"max_output_tokens": "truncated", "content_filter": "refused"}
    #: Items of tools that the client runs.
    CALLS: ClassVar = ("function_call", "custom_tool_call", "local_shell_call", "shell_call", "apply_patch_call")

    def __init__(self) -> None:
        super().__init__(_openai)

    def buffered(self, limit: int = 100, stop: Sequence[str] = ()) -> Told:
        assert not stop, "the dialect has none"
        return self.told(self.client.responses.create(model="m", input="hi", max_output_tokens=limit))

    def streamed(self, limit: int = 100, stop: Sequence[str] = ()) -> Told:
        assert not stop, "the dialect has none"
        with self.client.responses.stream(model="m", input="hi", max_output_tokens=limit) as stream:
            events = list(stream)
        last = events[-1]
        assert last.type in ("response.completed", "response.incomplete")
        told = self.told(last.response)
        said = [one.delta for one in events if one.type in ("response.output_text.delta", "response.refusal.delta")]
        assert "".join(said) == told.text
        thought = [
            one.delta for one in events if one.type.startswith("response.reasoning") and one.type.endswith("delta")
        ]
        assert "".join(thought) == told.thinking
        done = [one.item for one in events if one.type == "response.output_item.done"]
        assert [item.id for item in done] == [item.id for item in last.response.output]
        return told

    def told(self, response: openai.types.responses.Response) -> Told:
        items: list[Any] = response.output
        said = [part for item in items if item.type == "message" for part in item.content]
        refused = [part for part in said if part.type == "refusal"]
        calls = [item for item in items if item.type == "function_call"]
        usage = response.usage
        details = response.incomplete_details
        reason = "tools" if any(item.type in self.CALLS for item in items) else "complete"
        if response.status == "incomplete":
            assert details is not None
            reason = self.REASONS[details.reason or ""]
        else:
            assert response.status == "completed"
        thoughts = [
            part.text for item in items if item.type == "reasoning" for part in (*item.summary, *(item.content or ()))
        ]
        return Told(
            "".join(part.text if part.type == "output_text" else part.refusal for part in said),
            [(call.call_id, call.name, json.loads(call.arguments)) for call in calls],
            "refused" if refused else reason,
            usage and usage.input_tokens,
            usage and usage.output_tokens,
            "".join(thoughts),
            {
                one.url
                for part in said
                if part.type == "output_text"
                for one in part.annotations
                if one.type == "url_citation"
            },
            [item.result for item in items if item.type == "image_generation_call"],
        )


class Gemini(_Base):
    """`google-genai`: `generate_content` and `generate_content_stream`."""

    name = "gemini"
    error: type[Exception] = errors.APIError
    REASONS: ClassVar = {
        types.FinishReason.STOP: "complete",
        types.FinishReason.MAX_TOKENS: "truncated",
    }

    def __init__(self) -> None:
        super().__init__(
            lambda http: genai.Client(
                api_key="dummy",
                http_options=types.HttpOptions(base_url="http://127.0.0.1:1", httpx_client=http),
            )
        )

    def buffered(self, limit: int = 100, stop: Sequence[str] = ()) -> Told:
        return self.told([self.client.models.generate_content(**self._asked(limit, stop))])

    def streamed(self, limit: int = 100, stop: Sequence[str] = ()) -> Told:
        return self.told(list(self.client.models.generate_content_stream(**self._asked(limit, stop))))

    def _asked(self, limit: int, stop: Sequence[str]) -> dict[str, Any]:
        config = types.GenerateContentConfig(max_output_tokens=limit, stop_sequences=list(stop) or None)
        return {"model": "m", "contents": "hi", "config": config}

    def told(self, chunks: Iterable[types.GenerateContentResponse]) -> Told:
        chunks = list(chunks)
        candidates = [one for chunk in chunks for one in chunk.candidates or ()]
        parts = [part for one in candidates if one.content for part in one.content.parts or ()]
        usage = next((chunk.usage_metadata for chunk in reversed(chunks) if chunk.usage_metadata), None)
        feedback = next((chunk.prompt_feedback for chunk in chunks if chunk.prompt_feedback), None)
        calls: list[Call] = [
            (call.id or "", call.name or "", call.args or {}) for part in parts if (call := part.function_call)
        ]
        ended = [one.finish_reason for one in candidates if one.finish_reason]
        if feedback is not None and feedback.block_reason:
            reason = "refused"
        else:
            (word,) = ended
            reason = self.REASONS.get(word, "refused")
        found = [one.grounding_metadata for one in candidates if one.grounding_metadata]
        web = [chunk.web for metadata in found for chunk in metadata.grounding_chunks or ()]
        return Told(
            "".join(part.text or "" for part in parts if not part.thought),
            calls,
            "tools" if calls and reason == "complete" else reason,
            usage and (usage.prompt_token_count or 0) + (usage.tool_use_prompt_token_count or 0),
            usage and (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0),
            "".join(part.text or "" for part in parts if part.thought),
            {one.uri for one in web if one is not None and one.uri},
            [
                base64.b64encode(part.inline_data.data or b"").decode()
                for part in parts
                if part.inline_data and (part.inline_data.mime_type or "").startswith("image/")
            ],
        )


def _thoughts(message: Any) -> str:
    """The thinking of a Chat message, under any of the names that servers give it."""
    details = getattr(message, "reasoning_details", None) or ()
    return (
        getattr(message, "reasoning_content", None)
        or getattr(message, "reasoning", None)
        or "".join(one.get("text", "") for one in details)
    )


def _openai(http: httpx.Client) -> openai.OpenAI:
    return openai.OpenAI(api_key="dummy", base_url="http://127.0.0.1:1/v1", max_retries=0, http_client=http)


USER: Any = [{"role": "user", "content": "hi"}]

SDKS: dict[str, Callable[[], Sdk]] = {
    "anthropic": Anthropic,
    "openai": Chat,
    "openai_responses": Responses,
    "gemini": Gemini,
}
