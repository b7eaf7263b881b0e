"""A Code Assist backend for `FakeProvider`: it takes nothing but its own envelope, knows projects, and can be full.

    assist = CodeAssist(provider)
    assist.fill("gemini-2.5-pro", delay=2)     # 429 with a RetryInfo, until `empty`
    ...
    assert assist.asked == ["gemini-2.5-pro", "gemini-2.5-flash"]

What a request holds beside what the API knows is refused with a 400, as Google's APIs do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ccproxy.exchange.http import Pair
from ccproxy.providers.answers import gemini
from ccproxy.testing.recorded import Received
from ccproxy.testing.reply import Reply, Waitable, json_reply, native_error, sse

if TYPE_CHECKING:
    from ccproxy.testing.fake_provider import FakeProvider
    from ccproxy.testing.threaded import ThreadedProvider

_OUTER = frozenset({"model", "project", "user_prompt_id", "request", "enabled_credit_types"})
_INNER = frozenset(
    {"contents", "systemInstruction", "cachedContent", "tools", "toolConfig", "labels", "safetySettings", "generationConfig",
     "session_id"}
)  # fmt: skip
_COUNTED = frozenset({"model", "contents"})
_TIER = {"id": "standard-tier", "name": "Gemini Code Assist"}


@dataclass(slots=True)
class _Full:
    """How a model that is full answers; `left` is how often."""

    status: int
    delay: float | None
    reason: str
    hidden: bool
    left: int | None


class CodeAssist:
    """The backend, at `/v1internal:…` of a `FakeProvider`.

    Args:
        provider: where it is served.
        project: the project of every account.

    Attributes:
        projects: those of single accounts, by access token.
        loads: the requests for a project, in order.
        asked: the models that were asked for an answer, in order, full or not.
        refusal: what to answer instead of telling a project.
        account: further fields of the answer that tells one; `cloudaicompanionProject: None` takes it out.
        gate: what that answer waits for.
    """

    def __init__(self, provider: FakeProvider | ThreadedProvider, *, project: str = "project-of-tests") -> None:
        self.provider = provider
        self._project = project
        self._full: dict[str, _Full] = {}
        self.projects: dict[str, str] = {}
        self.loads: list[Received] = []
        self.asked: list[str] = []
        self.refusal: Reply | None = None
        self.account: dict[str, Any] = {}
        self.gate: Waitable | None = None
        provider.on(r"/v1internal:(stream)?[gG]enerateContent$", self._generate, method="POST")
        provider.on(r"/v1internal:countTokens$", self._count, method="POST")
        provider.on(r"/v1internal:loadCodeAssist$", self._load, method="POST")

    def fill(
        self,
        model: str,
        *,
        status: int = 429,
        delay: float | None = None,
        reason: str = "MODEL_CAPACITY_EXHAUSTED",
        hidden: bool = False,
        times: int | None = None,
    ) -> None:
        """Makes a model full.

        Args:
            delay: seconds in the RetryInfo; None is an error without one.
            reason: that of the ErrorInfo; "" for none.
            hidden: the error stands inside of a 200, where that is a stream.
            times: for how many requests; None until `empty`.
        """
        self._full[model] = _Full(status, delay, reason, hidden, times)

    def empty(self, model: str) -> None:
        """Makes it answer again."""
        self._full.pop(model, None)

    def _generate(self, request: Received) -> Reply:
        asked = request.json()
        if problem := _unknown(asked, _OUTER) or _unknown(asked.get("request", {}), _INNER):
            return native_error("gemini", 400, problem)
        if asked.get("project") != self._project_of(request):
            return native_error("gemini", 403, f"Permission denied on project {asked.get('project')}.")
        model = str(asked.get("model"))
        self.asked.append(model)
        full = self._full.get(model)
        if full is None or full.left == 0:
            return self.provider.answer(request)
        if full.left is not None:
            full.left -= 1
        details: list[dict[str, Any]] = []
        if full.reason:
            info = "type.googleapis.com/google.rpc.ErrorInfo"
            details.append({"@type": info, "reason": full.reason, "domain": "cloudcode-pa.googleapis.com"})
        if full.delay is not None:
            details.append(gemini.retry_info(full.delay))
        body = gemini.error(full.status, message=f"No capacity available for model {model}.", details=details)
        if full.hidden and request.path.endswith("streamGenerateContent"):
            return sse([b"data: " + line + b"\r\n\r\n" for line in [b"".join(body.splitlines())]])
        return Reply(full.status, [_JSON], body)

    def _count(self, request: Received) -> Reply:
        asked = request.json()
        if problem := _unknown(asked, frozenset({"request"})) or _unknown(asked.get("request", {}), _COUNTED):
            return native_error("gemini", 400, problem)
        return json_reply({"totalTokens": 7})

    async def _load(self, request: Received) -> Reply:
        self.loads.append(request)
        if self.gate is not None:
            await self.gate.wait()
        if self.refusal is not None:
            return self.refusal
        told = {
            "currentTier": _TIER,
            "allowedTiers": [_TIER | {"isDefault": True}],
            "cloudaicompanionProject": self._project_of(request),
            "gcpManaged": False,
            **self.account,
        }
        return json_reply({name: value for name, value in told.items() if value is not None})

    def _project_of(self, request: Received) -> str:
        token = (request.header("authorization") or "").removeprefix("Bearer ")
        return self.projects.get(token, self._project)


_JSON: Pair = (b"content-type", b"application/json; charset=UTF-8")


def _unknown(value: object, known: frozenset[str]) -> str:
    """Google's complaint about the first field that it does not know."""
    names = [name for name in value if name not in known] if isinstance(value, Mapping) else ["request"]
    return f'Invalid JSON payload received. Unknown name "{names[0]}": Cannot find field.' if names else ""
