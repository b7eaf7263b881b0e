"""The request as it is being edited, in one stage: hooks of that stage share it, the client's own request stays as it came.

Strategy: nothing is parsed or copied before somebody asks. A body that nobody edited is handed on as the very bytes
that came, compressed as they came; an edited one goes out plain, with every byte that was not edited.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from ccproxy.errors import BadRequest, HookError
from ccproxy.exchange.http import Headers, Pair
from ccproxy.lightllm.body import JsonBody
from ccproxy.lightllm.compression import decode
from ccproxy.lightllm.dialect import Dialect, Target
from ccproxy.lightllm.ir.request import Request
from ccproxy.lightllm.ir.response import Response
from ccproxy.lightllm.jsontext import JsonError, dumps, loads
from ccproxy.lightllm.registry import Registry
from ccproxy.pipeline import splice

#: Largest expansion of a compressed request body, in bytes.
MAX_DECODED = 64 * 1024 * 1024

type Form = Literal["generate", "count_tokens", "other"]


@dataclass(frozen=True, slots=True)
class Choice:
    """Where a hook wants the request to go: a configured provider, and a model in place of the client's or ""."""

    provider: str
    model: str
    by: str


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that a hook gives in place of a provider. `content` is a model's answer, to be written in the client's
    dialect, or a body that goes as it is; `by` is the hook."""

    status: int
    content: Response | bytes
    by: str
    headers: tuple[Pair, ...] = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """A state of a draft to go back to."""

    edits: int
    target: bytes
    pairs: list[Pair]
    body: bytes | None
    edited: bool
    choice: Choice | None


class Draft:
    """A request under edit.

    Args:
        method: the method.
        target: path and query.
        headers: header fields; not changed, copied before the first edit.
        content: the body as on the wire, b"" for none, None for one that streams through and cannot be seen.
        body: the same body, if it has been looked at before.
        dialect: the name of what the body speaks, or "" where nobody knows.
        dialects: where dialects are found.
        form: what is asked for: `generate` and `count_tokens` ask a model, `other` does not.
        segment: what stands for the model in the path, or "".
        path_model: the model named there.
        stream: whether the path asks for a stream; None where the body says it.
        array: whether the client wants a stream in the form of a JSON array.
    """

    __slots__ = (
        "_body",
        "_content",
        "_copied",
        "_dialects",
        "_edited",
        "_headers",
        "_known",
        "_moved",
        "_path_model",
        "_request",
        "_segment",
        "_stream",
        "_target",
        "array",
        "choice",
        "dialect",
        "editors",
        "form",
        "method",
        "reply",
    )

    def __init__(
        self,
        *,
        method: str,
        target: bytes,
        headers: Headers,
        content: bytes | None,
        body: JsonBody | None = None,
        dialect: str = "",
        dialects: Registry | None = None,
        form: Form = "other",
        segment: str = "",
        path_model: str = "",
        stream: bool | None = None,
        array: bool = False,
    ) -> None:
        self.method = method
        self.dialect = dialect
        self._dialects = dialects
        self.form: Form = form
        self.array = array
        self.choice: Choice | None = None
        self.reply: Reply | None = None
        #: Who made each edit, in order: kept by whoever edits.
        self.editors: list[object] = []
        self._target = target
        self._headers = headers
        self._copied = False
        self._content = content
        self._body: JsonBody | None = None
        self._known = body if body is not None and body.raw is content else None
        self._edited = False
        self._moved = False
        self._segment = segment
        self._path_model = path_model
        self._stream = stream
        self._request: Request | None = None

    # Reading

    @property
    def target(self) -> bytes:
        return self._target

    @property
    def headers(self) -> Headers:
        """The header fields as they are now. Change them with `edit_headers`."""
        return self._headers

    @property
    def visible(self) -> bool:
        """Whether there is a body to be seen."""
        return bool(self._content)

    @property
    def edited(self) -> bool:
        """Whether the body is another than the one that came."""
        return self._edited

    @property
    def changed(self) -> bool:
        """Whether target, header fields or body are others than those that came."""
        return self._copied or self._edited or self._moved

    @property
    def spoken(self) -> Dialect | None:
        """The dialect itself, or None where it is none that can be read."""
        known = self._dialects is not None and bool(self.dialect) and self.dialect in self._dialects
        return self._dialects.get(self.dialect) if known and self._dialects is not None else None

    @property
    def body(self) -> JsonBody:
        """The body, content-encoding removed; an empty one if it streams through. Raises BadRequest where the
        encoding cannot be undone."""
        if self._body is None and self._known is not None:
            self._body = self._known.copy()
        elif self._body is None:
            encoding = self._headers.text(b"content-encoding")
            content = self._content or b""
            self._body = JsonBody(decode(content, encoding, MAX_DECODED) if encoding and content else content)
        return self._body

    @property
    def model(self) -> str:
        """The model asked for, or "" where none is named."""
        if self._path_model:
            return self._path_model
        found = self.body.get("model") if self.body.is_object else None
        return found if isinstance(found, str) else ""

    @property
    def request(self) -> Request:
        """The body as a neutral value. Raises BadRequest where it is none, HookError where no model is asked."""
        if self._request is None:
            spoken = self.spoken
            if spoken is None or self.form == "other":
                raise HookError("this request asks no model, so there is no ctx.request", hint="see ctx.asks_model")
            self._request = spoken.decode_request(self.body.raw, model=self._path_model, stream=self._stream)
        return self._request

    # Writing

    def edit_headers(self) -> Headers:
        """The header fields, to be changed."""
        if not self._copied:
            self._headers, self._copied = self._headers.copy(), True
        return self._headers

    def text(self, path: splice.Path) -> bytes | None:
        """The JSON text of the value at a path, or None where there is none. Raises BadRequest."""
        raw = self.body.get_raw(str(path[0]))
        if raw is None or len(path) == 1:
            return raw
        try:
            return splice.get(raw, path[1:])
        except LookupError:
            return None

    def put(self, path: splice.Path, value: object) -> bool:
        """Sets the value at a path; False if it is that already. Raises LookupError, BadRequest."""
        body = self._editable()
        new = _encoded(path, value)
        old = self.text(path)
        if old is not None and (old == new or _canonical(old) == new):
            return False
        name = str(path[0])
        if len(path) > 1:
            whole = body.get_raw(name)
            new = splice.put(b"{}" if whole is None else whole, path[1:], new)
        body.set_raw(name, new)
        self._now(body)
        return True

    def remove(self, path: splice.Path) -> bool:
        """Removes the value at a path; False if there is none. Raises BadRequest."""
        body = self._editable()
        if self.text(path) is None:
            return False
        name = str(path[0])
        whole = body.get_raw(name)
        if len(path) > 1 and whole is not None:
            body.set_raw(name, splice.remove(whole, path[1:]))
        else:
            body.delete(name)
        self._now(body)
        return True

    def replace(self, raw: bytes) -> None:
        """Puts another body in place of this one."""
        self._editable(whole=True)
        self._now(JsonBody(raw))

    def set_model(self, model: str) -> None:
        """Asks for another model, where the request names it."""
        if not self._path_model:
            if self.body.get("model") != model:
                self.body["model"] = model
                self._now(self.body)
            return
        old, new = f"/{self._segment}:".encode("latin-1"), f"/{quote(model, safe='-._~@/')}:".encode()
        if not self._segment or old not in self._target:
            raise BadRequest(f"the model {self._path_model!r} in the path cannot be replaced")
        self._target = self._target.replace(old, new, 1)
        self._moved = True
        self._path_model, self._segment = model, new[1:-1].decode("latin-1")
        self._request = None

    def set_request(self, request: Request) -> None:
        """Puts the difference between `request` and the present one into the body. Raises BadRequest for what the
        dialect cannot say."""
        before, body = self.request, self.body
        if request == before:
            return
        if request.model != before.model:
            self.set_model(request.model)
            body = self.body
        target = Target()
        old = self._written(before, target)
        new = self._written(request, target)
        if old != new:
            self._now(JsonBody(splice.merge(body.raw, loads(old), loads(new))))
        self._request = request

    def _written(self, request: Request, target: Target) -> bytes:
        spoken = self.spoken
        assert spoken is not None
        operation: Literal["generate", "count_tokens"] = "count_tokens" if self.form == "count_tokens" else "generate"
        return spoken.encode_request(request, target, operation=operation).body

    # Undoing, finishing

    def mark(self) -> Mark:
        """The present state."""
        body = self._body.raw if self._edited and self._body is not None else None
        return Mark(len(self.editors), self._target, list(self._headers.pairs), body, self._edited, self.choice)

    def back_to(self, mark: Mark) -> None:
        """Takes every edit since `mark` back."""
        self._target, self.choice = mark.target, mark.choice
        if self._copied:
            self._headers.pairs = mark.pairs
        if self._edited:
            self._body = None if mark.body is None else JsonBody(mark.body)
            self._edited = mark.edited
        self._request = None
        del self.editors[mark.edits :]

    def finish(self) -> tuple[Headers, bytes | None]:
        """Header fields and body to go on with: those that came, where nothing was edited."""
        if not self._edited or self._body is None:
            return self._headers, self._content
        raw = self._body.raw
        headers = self._headers.without((b"content-encoding",))
        headers.set(b"content-length", str(len(raw)).encode())
        return headers, raw

    def _editable(self, *, whole: bool = False) -> JsonBody:
        if self._content is None:
            raise HookError("this body streams through and cannot be edited", hint="only JSON bodies are read first")
        body = self.body
        if not whole and not body.is_object:
            raise BadRequest(f"the body cannot be edited: it is {body.error}")
        return body

    def _now(self, body: JsonBody) -> None:
        self._body, self._edited, self._request = body, True, None


def _encoded(path: splice.Path, value: object) -> bytes:
    try:
        return dumps(value)
    except JsonError as problem:
        raise BadRequest(f"the field {splice.shown(path)!r} cannot be written as JSON: {problem}") from None


def _canonical(raw: bytes) -> bytes | None:
    try:
        return dumps(loads(raw))
    except JsonError:
        return None
