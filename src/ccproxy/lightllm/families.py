"""What providers accept that speak a dialect without having defined it: pure data, one row for each.

A family is a provider, or a kind of server, that answers alike wherever it stands. `capabilities` gives what one takes
in a dialect, `family_of` says which family a configured provider is: by its type, else by its host. What is true of one
model alone is in `models.py`. Adding a provider means adding rows here.

Sources, as read in November 2026: docs of DeepSeek (Anthropic API, Thinking Mode), z.ai (Chat Completion, Thinking
Mode), Moonshot (Chat, Thinking), MiniMax (Anthropic API), Alibaba Model Studio (OpenAI compatible, Deep thinking, Context
cache), OpenRouter (Reasoning Tokens, Prompt Caching, PDF Inputs), Ollama (OpenAI compatibility), vLLM (OpenAI server,
Reasoning Outputs), llama.cpp (server README), LM Studio (OpenAI compatibility), Google (OpenAI compatibility).
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ccproxy.lightllm.dialect import Capabilities
from ccproxy.lightllm.dialects.anthropic.dialect import CAPABILITIES as ANTHROPIC
from ccproxy.lightllm.dialects.gemini.dialect import CAPABILITIES as GEMINI
from ccproxy.lightllm.dialects.openai.dialect import CAPABILITIES as OPENAI
from ccproxy.lightllm.dialects.openai.dialect import COMPATIBLE
from ccproxy.lightllm.dialects.openai_responses.dialect import CAPABILITIES as RESPONSES
from ccproxy.lightllm.dialects.openai_responses.dialect import CODEX_CAPABILITIES
from ccproxy.lightllm.models import of_model
from ccproxy.lightllm.schema_rules import ANYTHING

_replace = msgspec.structs.replace
_NONE: frozenset[str] = frozenset()

#: What any provider takes that speaks Anthropic's dialect, for one of which nothing more is known: thinking goes back
#: as it came, and what Anthropic added late is not expected.
MESSAGES = _replace(
    ANTHROPIC,
    system_anywhere=False,
    thinking="any",
    hosted_tools=_NONE,
    json_schema=False,
    efforts=(),
    adaptive=False,
    max_budget=None,
    strict_schema=ANYTHING,
    output_schema=ANYTHING,
)

#: What any provider takes that speaks Responses.
_RESPONSES = _replace(
    RESPONSES,
    custom_tools=False,
    namespaces=False,
    hosted_tools=_NONE,
    allowed_tools=False,
    efforts=("low", "medium", "high"),
    cache_key=False,
    metadata=False,
    verbosity=False,
)

#: Where nothing more is known about a provider of the dialect.
_UNKNOWN: Mapping[str, Capabilities] = {
    "anthropic": MESSAGES,
    "openai": COMPATIBLE,
    "openai_responses": _RESPONSES,
    "gemini": GEMINI,
}

#: Servers that people run themselves: they give thinking and take it back, and know `none`.
_LOCAL = _replace(COMPATIBLE, thinking="any", thinking_off=True, sampling=OPENAI.sampling | {"top_k"})

#: Family → dialect → what it accepts.
FAMILIES: Mapping[str, Mapping[str, Capabilities]] = {
    "anthropic": {"anthropic": ANTHROPIC},
    "openai": {"openai": OPENAI, "openai_responses": RESPONSES},
    "codex": {"openai_responses": CODEX_CAPABILITIES},
    "gemini": {
        "gemini": GEMINI,
        "openai": _replace(
            COMPATIBLE, thinking="signed", thinking_off=True, audio_types=frozenset({"audio/wav", "audio/mpeg"})
        ),
    },
    "code_assist": {"gemini": _replace(GEMINI, envelope=True)},
    "vertex_ai": {"gemini": GEMINI, "anthropic": _replace(ANTHROPIC, document_urls=False, image_urls=False)},
    "azure": {"openai": OPENAI, "openai_responses": RESPONSES, "anthropic": ANTHROPIC},
    "deepseek": {
        "anthropic": _replace(
            MESSAGES,
            document_types=_NONE,
            temperature=(0.0, 2.0),
            sampling=frozenset({"temperature", "top_p"}),
            parallel_control=False,
            efforts=("low", "high", "max"),
            budgets=False,
            thinking_switch=True,
            demands_thinking=True,
            cache_marks=False,
        ),
        "openai": _replace(
            COMPATIBLE,
            audio_types=_NONE,
            json_schema=False,
            parallel_control=False,
            sampling=frozenset({"temperature", "top_p", "frequency_penalty", "presence_penalty"}),
            max_stop=16,
            thinking="any",
            efforts=("low", "high", "max"),
            thinking_off=True,
            thinking_switch=True,
            demands_thinking=True,
        ),
    },
    "zai": {
        "anthropic": _replace(MESSAGES, budgets=False, thinking_switch=True, cache_marks=False),
        "openai": _replace(
            COMPATIBLE,
            audio_types=_NONE,
            json_schema=False,
            forced_calls=False,
            parallel_control=False,
            sampling=frozenset({"temperature", "top_p"}),
            temperature=(0.0, 1.0),
            max_stop=1,
            thinking="any",
            efforts=(),
            thinking_off=True,
            thinking_switch=True,
            stream_usage=False,
        ),
    },
    "moonshot": {
        "anthropic": _replace(MESSAGES, cache_marks=False),
        "openai": _replace(
            COMPATIBLE,
            audio_types=_NONE,
            temperature=(0.0, 1.0),
            thinking="any",
            efforts=(),
            thinking_off=True,
            thinking_switch=True,
            cache_key=True,
        ),
    },
    "minimax": {
        "anthropic": _replace(MESSAGES, document_types=_NONE),
        "openai": _replace(COMPATIBLE, audio_types=_NONE, thinking="any", efforts=()),
    },
    "dashscope": {
        "anthropic": _replace(MESSAGES, document_types=_NONE),
        "openai": _replace(
            COMPATIBLE,
            thinking="any",
            efforts=(),
            budgets=True,
            thinking_off=True,
            enable_thinking=True,
            cache_marks=True,
            sampling=frozenset({"temperature", "top_p", "top_k", "presence_penalty", "seed"}),
        ),
    },
    "openrouter": {
        "anthropic": ANTHROPIC,
        "openai": _replace(
            OPENAI,
            document_urls=True,
            custom_tools=False,
            thinking="signed",
            sampling=OPENAI.sampling | {"top_k"},
            cache_marks=True,
            legacy_limit=True,
            developer_role=False,
        ),
        "openai_responses": _replace(_RESPONSES, efforts=RESPONSES.efforts),
    },
    "mistral": {
        "openai": _replace(
            COMPATIBLE,
            audio_types=frozenset({"audio/wav", "audio/mpeg"}),
            sampling=frozenset({"temperature", "top_p", "frequency_penalty", "presence_penalty"}),
            temperature=(0.0, 1.5),
            user=False,
            stream_usage=False,
        )
    },
    "ollama": {
        "openai": _replace(_LOCAL, audio_types=_NONE, image_urls=False, sampling=OPENAI.sampling),
        "anthropic": _replace(MESSAGES, document_types=_NONE, image_urls=False, cache_marks=False),
    },
    "vllm": {"openai": _LOCAL, "anthropic": _replace(MESSAGES, document_types=_NONE, cache_marks=False)},
    "llamacpp": {"openai": _LOCAL, "anthropic": _replace(MESSAGES, document_types=_NONE, cache_marks=False)},
    "lmstudio": {
        "openai": _replace(_LOCAL, audio_types=_NONE, image_urls=False),
        "anthropic": _replace(MESSAGES, document_types=_NONE, image_urls=False, cache_marks=False),
    },
}

#: Other words for a family: provider types, and what people call it.
_ALIASES: Mapping[str, str] = {
    "openai_responses": "openai",
    "google": "gemini",
    "vertex_claude": "vertex_ai",
    "kimi": "moonshot",
    "z_ai": "zai",
    "qwen": "dashscope",
    "llama.cpp": "llamacpp",
    "lm_studio": "lmstudio",
}

#: Hosts and the family behind them; an entry that begins with a dot stands for every host below.
_HOSTS: Mapping[str, str] = {
    "api.anthropic.com": "anthropic",
    "api.openai.com": "openai",
    "chatgpt.com": "codex",
    ".openai.azure.com": "azure",
    ".services.ai.azure.com": "azure",
    "api.deepseek.com": "deepseek",
    "api.z.ai": "zai",
    "open.bigmodel.cn": "zai",
    "api.moonshot.ai": "moonshot",
    "api.moonshot.cn": "moonshot",
    "api.kimi.com": "moonshot",
    "api.minimax.io": "minimax",
    "api.minimaxi.com": "minimax",
    "dashscope.aliyuncs.com": "dashscope",
    "dashscope-intl.aliyuncs.com": "dashscope",
    "dashscope-us.aliyuncs.com": "dashscope",
    "coding.dashscope.aliyuncs.com": "dashscope",
    "openrouter.ai": "openrouter",
    "api.mistral.ai": "mistral",
    "ollama.com": "ollama",
    "generativelanguage.googleapis.com": "gemini",
    "cloudcode-pa.googleapis.com": "code_assist",
    "aiplatform.googleapis.com": "vertex_ai",
    "-aiplatform.googleapis.com": "vertex_ai",
    ".rep.googleapis.com": "vertex_ai",
}

#: Types that say no more than the dialect, and the host at which they are its own provider: elsewhere it may be anyone.
_BORROWED: Mapping[str, str] = {
    "anthropic": "api.anthropic.com",
    "openai": "api.openai.com",
    "openai_responses": "api.openai.com",
    "gemini": "generativelanguage.googleapis.com",
    "google": "generativelanguage.googleapis.com",
}


def family_of(kind: str, host: str = "") -> str:
    """The family of a provider of the type `kind` at `host` (with or without a port): by a host that is known, else by
    the type. "" where it is not known: a type that stands for its dialect (`openai`, `anthropic`) at a host of its own."""
    name = host.rpartition("@")[2].partition(":")[0].lower().rstrip(".")
    if name:
        if found := _HOSTS.get(name):
            return found
        for ending, family in _HOSTS.items():
            if ending[0] in ".-" and name.endswith(ending):
                return family
        if kind in _BORROWED:
            return ""
    family = _ALIASES.get(kind, kind)
    return family if family in FAMILIES else ""


def capabilities(dialect: str, family: str = "", model: str = "") -> Capabilities | None:
    """What a provider of `family` accepts in `dialect`, and of `model` where more is known about it. A family that is
    not known, or not known to speak the dialect, gives what any provider of the dialect accepts. None for a dialect
    that nothing is known about here: then its own are right (as in `Target.capabilities`)."""
    known = FAMILIES.get(_ALIASES.get(family, family), {}).get(dialect) or _UNKNOWN.get(dialect)
    return known and of_model(known, dialect, model)
