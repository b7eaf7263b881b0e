from ccproxy.providers.answers.script import Script, Text, ToolCall, estimate_tokens, slices, words


def test_words_add_up_to_the_text() -> None:
    for text in ["", "one", "one two", "  lead", "trail \n", "a\n\nb", "wörld 🌍!"]:
        assert "".join(words(text)) == text


def test_words_are_cut_before_each_word() -> None:
    assert words("You said: hi ") == ["You", " said:", " hi", " "]


def test_slices_add_up_to_the_text() -> None:
    assert slices("abcdefg", 3) == ["abc", "def", "g"]
    assert slices("") == []


def test_call_ids_are_kept_or_made_and_differ_within_an_answer() -> None:
    script = Script("m", [Text("x"), ToolCall("a"), ToolCall("b"), ToolCall("c", id="mine")], id="abc")

    assert [script.call_id(index, "call_") for index in (1, 2, 3)] == ["call_abc01", "call_abc02", "mine"]


def test_answers_have_ids_of_their_own() -> None:
    assert Script("m").id != Script("m").id


def test_tokens_are_estimated_and_never_zero() -> None:
    assert [estimate_tokens(size) for size in (0, 1, 4, 5, 400)] == [1, 1, 1, 2, 100]
