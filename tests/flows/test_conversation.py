"""Sessions, threads and side calls are told apart as real clients show them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccproxy.flows.conversation import Conversation, identify

SESSION = "c6f9901d-4b4d-4b56-a290-ac9dd0bb0eeb"
THREAD = "01a20294-dc89-7dc0-ab46-2df3c4374a3f"
TOOLS = [{"name": "Read", "input_schema": {}}]


def ask(body: Any, headers: dict[str, str] | None = None, operation: str = "messages") -> Conversation:
    return identify(operation, list((headers or {}).items()), json.dumps(body).encode())


def user(*texts: str, **extra: Any) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "text", "text": text} | extra for text in texts]}


def claude(*messages: Any, **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": list(messages), "tools": TOOLS, **more}


CLAUDE = {"X-Claude-Code-Session-Id": SESSION}
FIRST = user("<system-reminder>\nmodel A</system-reminder>", "Fix the bug", cache_control={"type": "ephemeral"})


def test_claude_code_names_its_session_in_a_header() -> None:
    found = ask(claude(FIRST), CLAUDE)
    assert (found.session, found.parent, found.kind) == (SESSION, "", "main")


@pytest.mark.parametrize(
    "user_id",
    [
        json.dumps({"device_id": "d", "account_uuid": "", "session_id": SESSION}),
        f"user_abc_account_def_session_{SESSION}",
    ],
)
def test_claude_code_names_its_session_in_the_body(user_id: str) -> None:
    assert ask(claude(FIRST, metadata={"user_id": user_id})).session == SESSION


def test_a_thread_stays_itself_while_marks_move_and_reminders_change() -> None:
    one = ask(claude(FIRST), CLAUDE)
    later = user("<system-reminder>\nmodel B</system-reminder>", "Fix the bug")
    other = ask(claude(later, {"role": "assistant", "content": "ok"}, user("and the next")), CLAUDE)
    assert one == other
    assert one.conversation != ask(claude(user("Another matter")), CLAUDE).conversation
    assert one.conversation != ask(claude(FIRST), {"X-Claude-Code-Session-Id": "another"}).conversation


@pytest.mark.parametrize(
    ("said", "kind"), [("main", "main"), ("subagent", "subagent"), ("compaction", "compaction"), ("auxiliary", "side")]
)
def test_claude_code_says_what_a_request_is_for(said: str, kind: str) -> None:
    assert ask(claude(FIRST), CLAUDE | {"x-claude-code-request-class": said}).kind == kind


def test_claude_codes_subagents() -> None:
    headers = CLAUDE | {"x-claude-code-agent-id": "agent-2", "x-claude-code-parent-agent-id": "agent-1"}
    found = ask(claude(user("Search")), headers)
    assert (found.session, found.conversation, found.parent, found.kind) == (SESSION, "agent-2", "agent-1", "subagent")
    lean = ask(claude(user("Search"), system=[{"type": "text", "text": "You are an agent for Claude Code"}]), CLAUDE)
    assert (lean.session, lean.kind) == (SESSION, "subagent")


def test_codex_threads() -> None:
    body = {
        "model": "m",
        "tools": TOOLS,
        "prompt_cache_key": THREAD,
        "input": [
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "rules"}]},
            {"role": "user", "content": [{"type": "input_text", "text": "<environment_context>x"}]},
            {"role": "user", "content": [{"type": "input_text", "text": "Do it"}]},
        ],
    }
    main = ask(body, {"session-id": THREAD, "thread-id": THREAD}, "responses")
    assert main == Conversation(THREAD, THREAD, "", "main")
    child = ask(body, {"session-id": THREAD, "thread-id": "another"}, "responses")
    assert child == Conversation(THREAD, "another", THREAD, "subagent")
    assert ask(body, operation="responses").session == THREAD


def test_opencode_titles_and_subagents() -> None:
    headers = {"x-session-id": "ses_1", "x-session-affinity": "ses_1"}
    title = ask({"messages": [user("Generate a title for this conversation:\n", "Do it")]}, headers)
    main = ask(claude(user("Do it")), headers)
    assert (title.session, title.kind, main.session, main.kind) == ("ses_1", "title", "ses_1", "main")
    assert title.conversation != main.conversation
    child = ask(claude(user("Search")), {"x-session-id": "ses_2", "x-parent-session-id": "ses_1"})
    assert child == Conversation("ses_1", "ses_2", "ses_1", "subagent")


def test_gemini_and_code_assist() -> None:
    contents = [{"role": "user", "parts": [{"text": "<session_context>dir"}, {"text": "Do it"}]}]
    inner = {"contents": contents, "tools": TOOLS}
    own = ask(inner, {"User-Agent": "GeminiCLI"}, "generate")
    assert own.session.startswith("~")
    assert own.kind == "main"
    wrapped = ask({"model": "m", "request": {**inner, "session_id": "s1"}}, operation="generate")
    assert (wrapped.session, wrapped.kind) == ("s1", "main")


def test_a_derived_session_is_that_of_the_beginning_and_the_client() -> None:
    chat = {"messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "Hello"}]}
    more = {"messages": [*chat["messages"], {"role": "assistant", "content": "Hi"}, {"role": "user", "content": "?"}]}
    body = json.dumps(chat).encode()
    assert ask(chat, operation="chat") == ask(more, operation="chat")
    assert identify("chat", [], body, client="a").session != identify("chat", [], body, client="b").session
    assert ask(chat, {"User-Agent": "x"}, "chat").session != ask(chat, operation="chat").session


@pytest.mark.parametrize(
    "words",
    [
        "Your task is to create a detailed summary of the conversation so far",
        "You are performing a CONTEXT CHECKPOINT COMPACTION.",
    ],
)
def test_compaction(words: str) -> None:
    body = claude(FIRST, {"role": "assistant", "content": "ok"}, user(words), system="x" * 50_000)
    assert ask(body, CLAUDE).kind == "compaction"
    assert ask(body, CLAUDE).conversation == ask(claude(FIRST), CLAUDE).conversation


def test_side_calls() -> None:
    assert ask({"messages": [user("quota")], "max_tokens": 1}, CLAUDE).kind == "side"
    assert ask({"messages": [user("Is this a question?")]}, CLAUDE).kind == "side"
    assert ask({"messages": [user("x")], "system": 'Answer {"isNewTopic": true, "title": ...}'}, CLAUDE).kind == "title"
    counted = ask(claude(FIRST), CLAUDE, "count_tokens")
    assert (counted.kind, counted.conversation) == ("count_tokens", ask(claude(FIRST), CLAUDE).conversation)


def test_what_is_no_conversation() -> None:
    assert ask({}, operation="models") == Conversation()
    assert ask({}, CLAUDE, "models") == Conversation(session=SESSION)
    assert ask({}).session == ""


def test_a_shared_cache_key_is_no_session() -> None:
    assert ask({"input": "Hello", "prompt_cache_key": "my-app"}, operation="responses").session.startswith("~")
    assert ask({"input": "Hello", "prompt_cache_key": THREAD}, operation="responses").session == THREAD


def test_a_huge_first_message_and_a_cut_body() -> None:
    huge = claude(user("x" * 200_000))
    assert ask(huge).session == ask(claude(*huge["messages"], user("more"))).session != ""
    cut = json.dumps(claude(FIRST)).encode()[:-20]
    assert identify("messages", list(CLAUDE.items()), cut) == Conversation(SESSION)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)
members = st.dictionaries(
    st.sampled_from(
        [
            "messages",
            "input",
            "contents",
            "request",
            "system",
            "instructions",
            "tools",
            "metadata",
            "session_id",
            "client_metadata",
            "prompt_cache_key",
            "max_tokens",
        ]
    ),
    json_values | st.lists(st.dictionaries(st.sampled_from(["role", "content", "parts", "text"]), json_values)),
)


@given(body=st.binary(max_size=200) | members.map(json.dumps).map(str.encode))
def test_any_body_has_a_place(body: bytes) -> None:
    found = identify("messages", [("session-id", "s")], body)
    assert found.session == "s"
    assert found.kind in {"", "main", "side", "title", "compaction", "subagent"}
