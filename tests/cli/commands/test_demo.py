"""`ccproxy demo`: a tour that works on a machine with nothing set up, and leaves nothing."""


def test_the_tour_goes_through_every_dialect_and_shows_what_was_recorded(sandbox, tmp_path) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    done = sandbox.ccproxy("demo", env={"TMPDIR": str(folder), "CCPROXY_PORT": "nonsense"})
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    text = done.stdout
    for path in ("/v1/messages", "/v1/chat/completions", "/v1/responses", ":generateContent"):
        assert f"POST {path}" in text or path in text
    assert text.count("  out  200") == 5
    assert "events, the first after" in text
    assert text.count("I am ccproxy's demo provider") >= 5
    recorded = text.partition("Recorded: ccproxy flows list\n")[2].splitlines()[:5]
    assert [line.split("\t")[2] for line in recorded] == ["200"] * 5
    assert "Client request" in text
    assert "curl http://127.0.0.1:4000/v1/messages" in text
    assert list(folder.iterdir()) == []
    assert list(sandbox.config.iterdir()) == []
    assert list(sandbox.home.iterdir()) == []
