"""What users of such proxies complain of: one class for each complaint about conversion.

Requests are written by hand in each client's dialect, so that the whole way is tried: client bytes in, upstream bytes
out, upstream answer in, client answer out. `test_demands_streams.py` and `test_demands_turns.py` go on with the list.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from ccproxy.errors import Untranslatable
from ccproxy.lightllm.body import JsonBody
from ccproxy.lightllm.dialect import Dialect, Target
from ccproxy.lightllm.estimate import estimate
from ccproxy.lightllm.ir.events import Stop
from ccproxy.lightllm.ir.parts import Part, Text, ToolCall, ToolResult
from ccproxy.lightllm.ir.request import FunctionTool, Message, Request, Sampling
from ccproxy.lightllm.ir.response import Response, unfold
from ccproxy.lightllm.schema import NOTE
from ccproxy.lightllm.schema_rules import GEMINI_JSON
from ccproxy.lightllm.toolargs import to_object
from ccproxy.lightllm.translate import DocumentTranslator, filters_of

from .demands import (
    DIALECTS,
    DOCUMENTS,
    IMAGES,
    PLACES,
    conversation,
    convert,
    digest,
    digests,
    every,
    pairs,
    pdf,
    picture,
    refused,
    strings,
)
from .kit import (
    CASES,
    cases,
    checked,
    collected,
    context,
    decode_document,
)
from .strategies import responses
from .test_cases import ids
from .test_schema import schemas


class Test01ImagesVanish:
    @pairs
    @pytest.mark.parametrize("place", PLACES)
    def test_an_image_arrives_with_its_digest(self, client: str, upstream: str, place: str) -> None:
        body, losses = convert(client, upstream, conversation(client, IMAGES[client](picture(place)), place))
        assert digest(picture(place)) in digests(body)
        # Where a result holds text only, the image follows it, and that is said.
        if place == "result" and client not in ("openai", upstream) and upstream in ("openai", "gemini"):
            assert "approximated" in losses.values()

    @pytest.mark.parametrize("upstream", DIALECTS)
    @pytest.mark.parametrize("place", PLACES)
    def test_an_image_inside_of_a_document_arrives(self, upstream: str, place: str) -> None:
        inner = {
            "type": "document",
            "source": {
                "type": "content",
                "content": [{"type": "text", "text": "x"}, IMAGES["anthropic"](picture("nested"))],
            },
        }
        try:
            body, _ = convert("anthropic", upstream, conversation("anthropic", inner, place))
        except Untranslatable as problem:
            assert "messages[" in refused("anthropic", problem)
        else:
            assert digest(picture("nested")) in digests(body)

    @pairs
    def test_a_target_without_pictures_refuses_in_the_clients_own_shape(self, client: str, upstream: str) -> None:
        if client == upstream:
            return
        blind = msgspec.structs.replace(DIALECTS[upstream].capabilities, image_types=frozenset())
        for place in PLACES:
            with pytest.raises(Untranslatable) as caught:
                convert(
                    client,
                    upstream,
                    conversation(client, IMAGES[client](picture(place)), place),
                    Target(capabilities=blind),
                )
            assert "an image, which the target cannot take" in refused(client, caught.value)


KINDS = [(client, kind) for client, kinds in DOCUMENTS.items() for kind in kinds]


class Test02DocumentsDropped:
    @pytest.mark.parametrize(("client", "kind"), KINDS)
    @pytest.mark.parametrize("upstream", DIALECTS)
    @pytest.mark.parametrize("place", PLACES)
    def test_a_document_arrives_or_is_refused(self, client: str, kind: str, upstream: str, place: str) -> None:
        request = conversation(client, DOCUMENTS[client][kind](pdf(place)), place)
        try:
            body, _ = convert(client, upstream, request)
        except Untranslatable as problem:
            assert client != upstream
            # A provider's own file, or a URL that Chat does not fetch.
            assert kind == "file" or (kind == "url" and upstream == "openai")
            assert "a document by" in refused(client, problem)
            return
        sought = {"pdf": digest(pdf(place)), "url": "https://e.com/a.pdf", "file": "file_1", "text": "the words"}[kind]
        if kind == "pdf":
            assert sought in digests(body)
        else:
            # Responses has texts as files, too.
            encoded = hashlib.sha256(sought.encode()).hexdigest()
            assert any(sought in text for text in strings(body)) or encoded in digests(body)


class Test03SchemaKeywordsRefused:
    @settings(deadline=None)
    @given(schemas)
    def test_gemini_gets_only_what_it_knows_and_the_model_reads_the_rest(self, schema: dict[str, Any]) -> None:
        tools = (FunctionTool("f", schema),)
        request = Request("m", (Message("user", (Text("x"),)),), "anthropic", tools=tools)
        encoded = DIALECTS["gemini"].encode_request(request, Target())
        declared = json.loads(encoded.body)["tools"][0]["functionDeclarations"][0]
        assert GEMINI_JSON.keywords is not None
        written = declared.get("parametersJsonSchema", {})
        assert set(keywords(written)) <= GEMINI_JSON.keywords
        again = msgspec.structs.replace(request, tools=(FunctionTool("f", written),))
        twice = DIALECTS["gemini"].encode_request(again, Target())
        assert json.loads(twice.body)["tools"] == json.loads(encoded.body)["tools"]

    def test_what_a_schema_demands_beyond_is_in_its_description(self) -> None:
        demands = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$comment": "c",
            "uniqueItems": True,
            "propertyNames": {"pattern": "^a"},
        }
        schema = {
            "type": "object",
            "properties": {"a": {"$ref": "#/$defs/list"}},
            "$defs": {"list": {"type": "array", "items": {"type": "string"}, **demands}},
        }
        tool = {"name": "f", "input_schema": schema}
        body, losses = convert(
            "anthropic", "gemini", {"max_tokens": 9, "messages": [{"role": "user", "content": "x"}], "tools": [tool]}
        )
        written = body["tools"][0]["functionDeclarations"][0]["parametersJsonSchema"]["properties"]["a"]
        assert written["type"] == "array"
        assert NOTE in written["description"]
        assert "uniqueItems" in written["description"]
        assert any("uniqueItems" in path for path in losses)


def keywords(schema: Any) -> Iterator[str]:
    """The keywords of a schema and of those inside of it; names of properties are none."""
    if not isinstance(schema, dict):
        return
    for name, value in schema.items():
        yield name
        if name == "properties":
            for inner in value.values():
                yield from keywords(inner)
        elif name in ("items", "additionalProperties"):
            yield from keywords(value)
        elif name in ("anyOf", "prefixItems"):
            for inner in value:
                yield from keywords(inner)


class Test04BuiltinToolsLoseTheirNames:
    def test_codex_tools_arrive_by_name_or_in_the_ledger(self) -> None:
        raw = (CASES / "openai_responses/request-builtin-tools/request.json").read_bytes()
        request = DIALECTS["openai_responses"].decode_request(raw)
        encoded = DIALECTS["anthropic"].encode_request(request, Target(model="m"))
        names = [tool["name"] for tool in json.loads(encoded.body)["tools"]]
        assert all(names)
        assert len(set(names)) == len(names)
        lost = [
            loss for loss in encoded.losses if re.fullmatch(r"tools\[\d+\]\.\w+", loss.path) and loss.kind == "dropped"
        ]
        assert len(names) + len(lost) >= len(request.tools)

    def test_a_call_of_a_grouped_tool_comes_back_in_its_group(self) -> None:
        tools = [
            {
                "type": "namespace",
                "name": "files",
                "description": "Files.",
                "tools": [{"type": "function", "name": "read", "parameters": {"type": "object", "properties": {}}}],
            }
        ]
        request = DIALECTS["openai_responses"].decode_request(
            json.dumps({"model": "m", "input": "x", "tools": tools}).encode()
        )
        encoded = DIALECTS["anthropic"].encode_request(request, Target(model="m"))
        (name,) = (tool["name"] for tool in json.loads(encoded.body)["tools"])
        answer = Response("i", "m", (ToolCall("t1", name, "{}"),), Stop("tool_use"), dialect="anthropic")
        body = collected(DIALECTS["anthropic"], list(unfold(answer)))
        translator = DocumentTranslator(
            DIALECTS["anthropic"], DIALECTS["openai_responses"], context(request), filters=filters_of(encoded)
        )
        (item,) = json.loads(translator.translate(body).body)["output"]
        assert (item["namespace"], item["name"], item["arguments"]) == ("files", "read", "{}")


class Test05HistoryAndErrorsLost:
    @pairs
    def test_twenty_turns_are_the_same_after_a_round_trip(self, client: str, upstream: str) -> None:
        turns: list[Message] = []
        for n in range(5):
            turns += [
                Message("user", (Text(f"question {n}"),)),
                Message("assistant", (Text(f"let me {n}"), ToolCall(f"call_{n}", "read", f'{{"n":{n}}}'))),
                Message("user", (ToolResult(f"call_{n}", (Text(f"result {n}"),)),)),
                Message("assistant", (Text(f"answer {n}"),)),
            ]
        turns.append(Message("user", (Text("the last"),)))
        request = Request("m", tuple(turns), max_tokens=99)
        there, back = DIALECTS[upstream], DIALECTS[client]
        first = back.decode_request(back.encode_request(request, Target()).body, model="m")
        second = there.decode_request(there.encode_request(first, Target()).body, model="m")
        third = back.decode_request(back.encode_request(second, Target()).body, model="m")
        for read in (first, second, third):
            assert [(message.role, [told(part) for part in message.parts]) for message in read.messages] == [
                (message.role, [told(part) for part in message.parts]) for message in turns
            ]

    @pytest.mark.parametrize("case", cases("error.json"), ids=ids)
    @every
    def test_a_providers_error_keeps_its_status_and_its_message(self, case: Any, dialect: Dialect) -> None:
        golden = case.json("error.json")
        given = golden["body"]
        info = case.dialect.decode_error(
            golden["status"], given.encode() if isinstance(given, str) else json.dumps(given).encode()
        )
        status, body = dialect.encode_error(info)
        assert status == golden["status"] or (golden["status"], status) == (529, 503)
        assert info.message in json.loads(body)["error"]["message"]


def told(part: Part) -> tuple[str, ...]:
    match part:
        case ToolCall():
            return ("call", part.id, part.name, json.dumps(to_object(part.args)[0]))
        case ToolResult():
            return ("result", part.call_id, *(inner.text for inner in part.content if isinstance(inner, Text)))
        case Text():
            return ("text", part.text)
    return (type(part).__name__,)


class Test06StopWithoutContent:
    @every
    @settings(deadline=None)
    @given(response=responses())
    def test_a_tool_stop_has_calls_and_calls_have_a_tool_stop(self, dialect: Dialect, response: Response) -> None:
        for stop in (Stop("end"), Stop("tool_use")):
            lying = msgspec.structs.replace(response, stop=stop)
            # However an upstream puts it, its decoder pairs them.
            read = checked(decode_document(dialect, collected(dialect, list(unfold(lying)))))
            assert read.stop is not None
            calls = any(isinstance(part, ToolCall) for part in read.parts)
            assert (read.stop.reason == "tool_use") == calls


class Test07SilentDowngrades:
    @pairs
    def test_every_setting_arrives_or_is_in_the_ledger(self, client: str, upstream: str) -> None:
        settings_of: dict[str, dict[str, Any]] = {
            "anthropic": {"max_tokens": 99, "stop_sequences": ["END"], "temperature": 0.5, "top_k": 7, "output_config": {"effort": "high"}, "service_tier": "auto"},
            "openai": {"stop": ["END"], "temperature": 0.5, "seed": 7, "reasoning_effort": "high", "logit_bias": {"1": 5}, "prediction": {"type": "content", "content": "p"}},
            "openai_responses": {"temperature": 0.5, "reasoning": {"effort": "high"}, "text": {"verbosity": "low"}, "truncation": "auto", "top_logprobs": 3},
            "gemini": {"generationConfig": {"stopSequences": ["END"], "temperature": 0.5, "seed": 7, "thinkingConfig": {"thinkingLevel": "HIGH"}, "mediaResolution": "MEDIA_RESOLUTION_LOW"}},
        }  # fmt: skip
        body = conversation(client, None, "") | settings_of[client]
        request = DIALECTS[client].decode_request(json.dumps(body).encode(), model="m")
        encoded = DIALECTS[upstream].encode_request(request, Target(model="m"))
        written = encoded.body.decode()
        lost = " ".join(loss.path for loss in encoded.losses)
        arrives = {
            "END": "END" in written or "END" in encoded.stop,
            "temperature": "0.5" in written or "temperature" in lost,
        }
        if request.stop:
            assert arrives["END"]
        assert arrives["temperature"]
        if request.sampling.seed is not None or request.sampling.top_k is not None:
            assert '"seed":7' in written or '"topK":7' in written or '"top_k":7' in written or "sampling." in lost
        assert "high" in written.lower() or "16384" in written or "reasoning" in lost
        for name in request.extras:
            if client != upstream and request.extras[name] is not None:
                assert name in lost

    def test_the_header_says_what_was_lost_and_strict_mode_refuses(self) -> None:
        request = Request("m", (Message("user", (Text("x"),)),), "openai", sampling=Sampling(1.5, seed=3), max_tokens=9)
        encoded = DIALECTS["anthropic"].encode_request(request, Target())
        assert encoded.losses.header() == "2; seed=dropped, temperature=clamped"
        with pytest.raises(Untranslatable, match="strict conversion") as caught:
            encoded.losses.require_empty()
        assert "seed" in refused("openai", caught.value)


class Test08UnknownFieldsStripped:
    @pytest.mark.parametrize("name", DIALECTS)
    def test_unknown_fields_stay_in_the_same_dialect_and_a_change_touches_no_other_byte(self, name: str) -> None:
        raw = json.dumps(
            conversation(name, None, "") | {"brandNew": {"a": [1, 2.50, None]}, "model": "m"}, indent=1
        ).encode()
        written, losses = convert(name, name, json.loads(raw))
        assert written["brandNew"] == {"a": [1, 2.5, None]}
        assert losses == {}
        body = JsonBody(raw)
        body["model"] = "other"
        assert body.raw == raw.replace(b'"model": "m"', b'"model": "other"')
        assert JsonBody(raw).raw is raw

    def test_a_route_whose_provider_knows_less_says_what_stays_behind(self) -> None:
        body = {"max_tokens": 9, "messages": [{"role": "user", "content": "x"}], "context_management": {"edits": []}}
        assert convert("anthropic", "openai", body)[1] == {"context_management": "dropped"}


class Test09CountsMissing:
    @every
    def test_everything_that_is_sent_counts(self, dialect: Dialect) -> None:
        name = dialect.name
        plain = dialect.decode_request(json.dumps(conversation(name, None, "")).encode(), model="m")
        with_image = dialect.decode_request(
            json.dumps(conversation(name, IMAGES[name](picture("user")), "user")).encode(), model="m"
        )
        with_pdf = dialect.decode_request(
            json.dumps(conversation(name, DOCUMENTS[name]["pdf"](pdf("user")), "user")).encode(), model="m"
        )
        with_tool = msgspec.structs.replace(plain, tools=(FunctionTool("f", {"type": "object"}, "Does."),))
        without_call = msgspec.structs.replace(plain, messages=plain.messages[:1])
        assert estimate(plain) > estimate(without_call) > 0
        for more in (with_image, with_pdf, with_tool):
            assert estimate(more) > estimate(plain)

    @pairs
    def test_an_upstream_that_counts_is_asked_about_the_same_prompt(self, client: str, upstream: str) -> None:
        there = DIALECTS[upstream]
        if there.write_count_request is None:
            assert upstream == "openai"
            return
        request = DIALECTS[client].decode_request(
            json.dumps(conversation(client, IMAGES[client](picture("user")), "user")).encode(), model="m"
        )
        body = json.loads(there.encode_request(request, Target(model="m"), operation="count_tokens").body)
        assert digest(picture("user")) in digests(body)
        assert "stream" not in body
        assert there.decode_count is not None
        assert there.encode_count is not None
        assert there.decode_count(there.encode_count(1234)) == 1234


def test_there_is_a_class_for_every_row_that_is_not_the_gateways() -> None:
    files = Path(__file__).parent.glob("test_demands*.py")
    rows = {
        int(row) for file in files for row in re.findall(r"^class Test(\d\d)", file.read_text(), flags=re.MULTILINE)
    }
    assert rows == set(range(1, 23)) - {14}
