"""The word that OpenAI's JSON mode wants: without "JSON" in a message the request is refused (400).

Other dialects have no such rule, so a converted request may lack the word. It is then said in front of everything, where
it is the same in every request of the conversation.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ccproxy.lightllm.dialect import Capabilities
from ccproxy.lightllm.ir.losses import LossLedger
from ccproxy.lightllm.ir.parts import Part, Text
from ccproxy.lightllm.ir.request import Message, Request

#: The instruction that has the word.
ANSWER_IN_JSON = "Answer in JSON."


def with_json_word(request: Request, capabilities: Capabilities, ledger: LossLedger) -> Request:
    """`request`, with an instruction before its messages where the target wants the word and nothing has it."""
    if request.output.form != "json" or not capabilities.json_word:
        return request
    spoken = [part for message in request.messages for part in message.parts]
    if _named(spoken) or (capabilities.json_word == "anywhere" and _named(request.system)):
        return request
    ledger.approximated(
        "output.form", "the target's JSON mode wants to be asked for in words too", "json", ANSWER_IN_JSON
    )
    instruction = Message("developer", (Text(ANSWER_IN_JSON),))
    return msgspec.structs.replace(request, messages=(instruction, *request.messages))


def _named(parts: Iterable[Part]) -> bool:
    return any(isinstance(part, Text) and "json" in part.text.lower() for part in parts)
