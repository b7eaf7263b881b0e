"""`ccproxy convert`: the result on stdout, the losses on stderr, and an exit code that a script can rely on."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ccproxy.cli.commands.convert import command
from ccproxy.cli.main import run
from ccproxy.lightllm.registry import Registry

REQUEST = {
    "model": "claude-x",
    "max_tokens": 100,
    "top_k": 5,
    "temperature": 0.5,
    "messages": [{"role": "user", "content": "Hi"}],
}
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-x",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}
STREAM = b"".join(
    b"data: %s\n\n" % json.dumps({"id": "c1", "model": "gpt-x", "choices": [choice]}).encode()
    for choice in ({"index": 0, "delta": {"content": "Hel"}}, {"index": 0, "delta": {"content": "lo END of it"}})
)
END = (
    b'data: {"id": "c1", "model": "gpt-x", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\n'
    b"data: [DONE]\n\n"
)


@pytest.fixture
def write(tmp_path: Path):
    def file(content: Any, name: str = "in.json") -> str:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return str(path)

    return file


def test_a_request_comes_out_as_it_would_be_sent(write, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(["convert", "--from", "anthropic", "--to", "openai", write(REQUEST)]) == 0
    out, err = capfdbinary.readouterr()
    assert json.loads(out)["messages"] == [{"role": "user", "content": "Hi"}]
    assert b"\n" not in out
    assert err.decode().splitlines() == [
        "ccproxy: request for POST /v1/chat/completions, content-type: application/json",
        "ccproxy: 1 loss:",
        "  sampling.top_k: dropped (5); the target's model does not take it",
    ]


def test_the_same_file_gives_the_same_bytes_every_time(sandbox, write) -> None:
    call = {"name": "f", "args": {"a": 1}}
    answer = {"candidates": [{"content": {"role": "model", "parts": [{"functionCall": call}]}, "finishReason": "STOP"}]}
    file = write(answer)
    lines = ["convert", "--from", "gemini", "--to", "openai_responses", "--response", "--json", file]
    first, second = sandbox.ccproxy(*lines), sandbox.ccproxy(*lines)
    assert first.returncode == 0
    assert first.stdout == second.stdout
    assert '"call_id"' in first.stdout


def test_stdin_is_a_dash(sandbox) -> None:
    line = [sys.executable, "-P", "-m", "ccproxy", "convert", "--from", "anthropic", "--to", "gemini", "-"]
    done = subprocess.run(
        line, env=sandbox.env(), input=json.dumps(REQUEST), capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0
    assert json.loads(done.stdout)["contents"] == [{"role": "user", "parts": [{"text": "Hi"}]}]
    assert "POST /v1beta/models/claude-x:generateContent" in done.stderr


def test_for_a_machine_everything_is_one_document(write, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["convert", "--from", "anthropic", "--to", "openai", "--model", "gpt-x", "--json", write(REQUEST)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    document = json.loads(out)
    assert document["result"]["model"] == "gpt-x"
    assert {name: document[name] for name in document if name != "result"} == {
        "path": "/v1/chat/completions",
        "headers": {"content-type": "application/json"},
        "status": None,
        "error": None,
        "losses": [
            {
                "path": "sampling.top_k",
                "kind": "dropped",
                "from": "5",
                "to": "",
                "reason": "the target's model does not take it",
            }
        ],
    }


def test_a_buffered_answer(write, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["convert", "--from", "openai", "--to", "anthropic", "--response", write(ANSWER)]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["content"] == [{"type": "text", "text": "Hello."}]
    assert json.loads(out)["usage"] == {"input_tokens": 3, "output_tokens": 2}
    assert err == "ccproxy: nothing is lost\n"


def test_a_streamed_answer(write, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["convert", "--from", "openai", "--to", "anthropic", "--stream", write(STREAM + END)]) == 0
    out = capsys.readouterr().out
    assert out.count('"text_delta"') == 2
    assert out.rstrip().endswith('{"type":"message_stop"}')


def test_a_streamed_json_array_is_one_too(write, capsys: pytest.CaptureFixture[str]) -> None:
    chunk = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hi"}]}, "finishReason": "STOP"}]}
    assert run(["convert", "--from", "gemini", "--to", "openai", "--stream", write([chunk])]) == 0
    assert '"content":"Hi"' in capsys.readouterr().out


def test_the_request_says_what_the_answer_must_look_like(write, capsys: pytest.CaptureFixture[str]) -> None:
    asked = write({**REQUEST, "stop_sequences": [" "], "stream": True}, "asked.json")
    line = ["convert", "--from", "openai", "--to", "anthropic", "--stream", "--request", asked]
    assert run([*line, write(STREAM + END)]) == 0
    assert '"stop_sequence":" "' not in capsys.readouterr().out  # Chat watches for it
    # Responses has no stop sequences: the proxy cuts.
    events = [
        {"type": "response.created", "response": {"id": "r1", "model": "m", "status": "in_progress", "output": []}},
        {"type": "response.output_text.delta", "item_id": "i", "output_index": 0, "content_index": 0, "delta": "a b"},
    ]
    stream = b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in events)
    line[2] = "openai_responses"
    assert run([*line, write(stream)]) == 0
    out = capsys.readouterr().out
    assert '"stop_sequence":" "' in out
    assert '"text":"a"' in out


@pytest.mark.parametrize("given", [STREAM, b"", b"\x00\xff"])
def test_an_answer_that_failed_is_converted_and_no_success(
    given: bytes, write, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(given)
    assert run(["convert", "--from", "openai", "--to", "anthropic", "--stream", file]) == 1
    out, err = capsys.readouterr()
    assert '"type":"error"' in out
    assert "message_stop" not in out
    assert f"ccproxy: {file}: the answer is a failure: " in err


def test_before_any_content_a_failure_is_a_status(write, capsys: pytest.CaptureFixture[str]) -> None:
    error = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"busy"}}\n\n'
    assert run(["convert", "--from", "anthropic", "--to", "openai", "--stream", "--json", write(error)]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["status"] == 503
    assert document["error"] == {"kind": "overloaded", "message": "busy"}
    assert document["result"]["error"]["message"] == "busy"


def test_strict_refuses_losses_only(write, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["convert", "--strict", "--from", "anthropic", "--to", "openai"]
    assert run([*line, write(REQUEST)]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == "ccproxy: strict: 1 loss"
    assert run([*line, write({name: value for name, value in REQUEST.items() if name != "top_k"})]) == 0


def test_another_provider_of_the_dialect_takes_other_things(write, capsys: pytest.CaptureFixture[str]) -> None:
    tools = [{"name": "f", "input_schema": {"type": "object"}}]
    file = write({**REQUEST, "tools": tools, "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}})
    line = ["convert", "--from", "anthropic", "--to", "openai", "--json", file]
    assert run(line) == 0
    assert json.loads(capsys.readouterr().out)["result"]["parallel_tool_calls"] is False
    assert run([*line, "--family", "deepseek"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert "parallel_tool_calls" not in document["result"]
    assert "parallel_tool_calls" in [loss["path"] for loss in document["losses"]]


def test_what_is_known_of_a_model_counts(write, capsys: pytest.CaptureFixture[str]) -> None:
    file = write({**REQUEST, "model": "m"})
    line = ["convert", "--from", "anthropic", "--to", "openai", "--json", file, "--model"]
    assert run([*line, "gpt-4o"]) == 0
    assert json.loads(capsys.readouterr().out)["result"]["temperature"] == 0.5
    assert run([*line, "gpt-5"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert "temperature" not in document["result"]
    assert "sampling.temperature" in [loss["path"] for loss in document["losses"]]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "the body is not JSON"),
        ({"model": "m", "messages": [{"role": "user", "content": [3]}]}, "messages[0].content[0]: expected an object"),
        ({"messages": []}, "the request names no model (say which with --model)"),
        (
            {"model": "m", "messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]},
            "messages[0].parts[0]: a document by file id, which only its own provider has (send it inline)",
        ),
    ],
)
def test_what_cannot_be_converted_is_named_with_its_file_and_place(
    content: Any, said: str, write, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(content)
    assert run(["convert", "--from", "openai", "--to", "anthropic", file]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"ccproxy: {file}: ")
    assert said in err
    assert len(err.splitlines()) == 1


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["convert", "--from", "openai", "--to", "gemini", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err == f"ccproxy: {tmp_path / 'none'}: No such file or directory\n"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["--from", "klingon", "--to", "openai"], "there is no dialect 'klingon' (there are: anthropic, "),
        (["--from", "openai", "--to", "openai", "--family", "klingon"], "unknown: 'klingon' (there are: anthropic, "),
        (["--from", "openai"], "Missing option '--to'"),
        (["--from", "openai", "--to", "gemini", "--request", "x"], "--request is for answers"),
    ],
)
def test_wrong_usage(line: list[str], said: str, write, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["convert", *line, write(REQUEST)]) == 2
    assert said in capsys.readouterr().err


def test_a_terminal_gets_indented_json_that_cannot_drive_it(sandbox, write) -> None:
    file = write({**REQUEST, "messages": [{"role": "user", "content": "a\x9b2Jb"}]})
    line = [sys.executable, "-P", "-m", "ccproxy", "convert", "--from", "anthropic", "--to", "openai", file]
    ours, its = pty.openpty()
    process = subprocess.Popen(line, env=sandbox.env(), stdout=its, stderr=subprocess.DEVNULL)
    os.close(its)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # how Linux says that the other side is closed
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    assert process.wait() == 0
    text = shown.decode()
    assert '\n  "model": "claude-x",' in text.replace("\r\n", "\n")
    assert "a\\u009b2Jb" in text
    assert "\x9b" not in text


def test_the_help_names_the_dialects_there_are() -> None:
    assert command.help is not None
    for name in Registry().names():
        assert name in command.help


def test_completion_offers_the_dialects(sandbox) -> None:
    env = {"_CCPROXY_COMPLETE": "bash_complete", "COMP_WORDS": "ccproxy convert --to op", "COMP_CWORD": "3"}
    assert sandbox.ccproxy(env=env).stdout.split() == ["plain,openai", "plain,openai_responses"]
