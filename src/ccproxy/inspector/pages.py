"""The ASGI application: who may ask, what there is to ask for, and what is answered.

Every request passes the Host check; all but the page's own files pass the Origin check as well, and need the cookie
that a ticket is exchanged for. The page itself holds no data, so that a link to a flow may be followed from anywhere.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from ccproxy import __version__
from ccproxy.errors import BadRequest, CCProxyError, Forbidden
from ccproxy.flows.query import Query
from ccproxy.gateway.guard import Guard
from ccproxy.gateway.listener import EXTENSION, Connection
from ccproxy.inspector import conversation, views, web
from ccproxy.inspector.access import SESSION_SECONDS, Access
from ccproxy.inspector.frames import frames_of
from ccproxy.inspector.hub import Hub
from ccproxy.inspector.reading import Opened, Reading
from ccproxy.inspector.series import Key
from ccproxy.inspector.web import Answer, Receive, Request, Result, Send, json_answer, route

_log = logging.getLogger("ccproxy.inspector")

_STATIC = Path(__file__).parent / "static"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
_FILE = re.compile(r"[a-z-]+\.(?:js|css|svg)")
MAX_ROWS = 1000
_ROWS = 200
_EXACT = ("text", "model", "provider", "session", "conversation", "status", "tool", "dialect", "kind", "run")


class _Login(msgspec.Struct):
    """The body of a login."""

    ticket: str


class Pages:
    """Serves the page and what it asks for.

    Args:
        reading: the store.
        hub: what happens now.
        access: who may look.
        guard: gives the Host names that may be used; called for each request.
        state: facts about the proxy, for the page.
        cookie: the name of the cookie: its own for each port, because cookies know no ports.
    """

    def __init__(
        self,
        reading: Reading,
        hub: Hub,
        access: Access,
        guard: Callable[[], Guard],
        state: Callable[[], dict[str, object]],
        cookie: str,
    ) -> None:
        self._reading = reading
        self._hub = hub
        self._access = access
        self._guard = guard
        self._state = state
        self._cookie = cookie
        self._routes = (
            route("GET", "/", self._index, open_=True),
            route("GET", "/static/{file}", self._file, open_=True),
            route("POST", "/api/login", self._login, open_=True),
            route("POST", "/api/logout", self._logout, open_=True),
            route("GET", "/api/state", self._about),
            route("GET", "/api/live", self._live),
            route("GET", "/api/flows", self._list),
            route("GET", "/api/facets", self._facets),
            route("GET", "/api/session", self._session),
            route("GET", "/api/cache", self._cache),
            route("GET", "/api/series", self._series),
            route("GET", "/api/flows/{id}", self._facts),
            route("GET", "/api/flows/{id}/conversation", self._conversation),
            route("GET", "/api/flows/{id}/answer", self._answer),
            route("GET", "/api/flows/{id}/difference", self._difference),
            route("GET", "/api/flows/{id}/events", self._events),
            route("GET", "/api/flows/{id}/messages", self._messages),
            route("GET", "/api/flows/{id}/body/{role}", self._body),
            route("GET", "/api/flows/{id}/download/{role}", self._download),
            route("GET", "/api/flows/{id}/media/{number}", self._media),
        )

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            return
        head = scope["method"] == "HEAD"
        try:
            result = await self._result(scope, receive)
        except CCProxyError as error:
            result = web.error_answer(error)
        except Exception:  # noqa: BLE001 - the boundary of one request
            _log.exception("the inspector could not answer %s", scope["path"])
            result = json_answer({"error": "an internal error; the log has the details", "hint": ""}, status=500)
        if isinstance(result, Answer):
            await web.send_answer(result, send, head=head)
        else:
            connection: Connection = scope["extensions"][EXTENSION]
            task = asyncio.current_task()
            connection.on_lost = task.cancel if task is not None else None
            await web.send_stream(result, send)
            connection.on_lost = None

    async def _result(self, scope: Any, receive: Receive) -> Result:
        request = web.parse(scope)
        guard = self._guard()
        guard.check_host(request.headers, request.http_version)
        method = "GET" if request.method == "HEAD" else request.method
        paths = [(found, one) for one in self._routes if (found := one.pattern.fullmatch(request.target))]
        if not paths:
            return json_answer({"error": "there is nothing here", "hint": ""}, status=404)
        matching = [(found, one) for found, one in paths if one.method == method]
        if not matching:
            return json_answer({"error": f"{request.method} is not possible here", "hint": ""}, status=405)
        found, chosen = matching[0]
        if not (chosen.open and method == "GET"):
            guard.check_origin(request.headers)
        if not chosen.open and not self._access.knows(request.cookie(self._cookie)):
            raise Forbidden("not logged in", hint="`ccproxy inspector` gives you a link", status=401)
        if method == "POST":
            request.body = await web.read_body(receive)
        request.path = found.groups()
        return await chosen.handler(request)

    async def _index(self, _: Request) -> Result:
        return _static("index.html")

    async def _file(self, request: Request) -> Result:
        name = request.path[0]
        if not _FILE.fullmatch(name) or not (_STATIC / name).is_file():
            return json_answer({"error": "there is no such file", "hint": ""}, status=404)
        return _static(name)

    async def _login(self, request: Request) -> Result:
        try:
            given = msgspec.json.decode(request.body, type=_Login).ticket
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise BadRequest("the login is malformed") from error
        cookie = self._access.login(given)
        if cookie is None:
            raise Forbidden(
                "this link was used already, or is too old", hint="`ccproxy inspector` gives you another", status=401
            )
        return self._with_cookie(cookie, int(SESSION_SECONDS))

    async def _logout(self, _: Request) -> Result:
        return self._with_cookie("", 0)

    def _with_cookie(self, value: str, seconds: int) -> Answer:
        text = f"{self._cookie}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}"
        return Answer(b"{}", headers=(("set-cookie", text),))

    async def _about(self, _: Request) -> Result:
        return json_answer({"version": __version__, **self._state()})

    async def _live(self, _: Request) -> Result:
        return await self._hub.listen()

    async def _list(self, request: Request) -> Result:
        limit = max(1, request.number("limit", _ROWS, most=MAX_ROWS))
        before = request.number("before", 0) or None
        page = await self._reading.page(_query(request), before, limit)
        return json_answer(page | {"running": self._hub.running() if before is None else []})

    async def _facets(self, _: Request) -> Result:
        return json_answer(await self._reading.facets())

    async def _session(self, request: Request) -> Result:
        return json_answer(await self._reading.session(request.text("id")))

    async def _cache(self, request: Request) -> Result:
        return json_answer(await self._reading.cache(request.text("id")))

    async def _series(self, request: Request) -> Result:
        until = request.number("until", 0)
        since = request.number("since", 0)
        if not since < until:
            raise BadRequest("since is not before until")
        key: Key = "provider" if request.text("by") == "provider" else "model"
        ahead = request.number("ahead", 0, most=86_400) - 43_200 if request.text("ahead") else 0
        return json_answer(await self._reading.series(key, since, until, ahead))

    async def _facts(self, request: Request) -> Result:
        return await self._of(request, lambda opened: views.facts(opened.flow))

    async def _conversation(self, request: Request) -> Result:
        dialects = self._reading.dialects
        return await self._of(request, lambda opened: opened.conversation(dialects).document)

    async def _answer(self, request: Request) -> Result:
        dialects = self._reading.dialects
        return await self._of(
            request, lambda opened: conversation.read(opened.flow, dialects, answer_only=True).document
        )

    async def _difference(self, request: Request) -> Result:
        return await self._of(request, lambda opened: views.difference(opened.flow, opened.comparison()))

    async def _events(self, request: Request) -> Result:
        begin = request.number("from", 0)
        return await self._of(request, lambda opened: views.events(frames_of(opened.flow), begin=begin))

    async def _messages(self, request: Request) -> Result:
        return await self._of(request, lambda opened: views.messages(opened.flow))

    async def _body(self, request: Request) -> Result:
        role = request.path[1]

        def look(opened: Opened) -> dict[str, Any] | None:
            message = views.message_of(opened.flow, role)
            return None if message is None else views.body(message)

        return await self._of(request, look)

    async def _download(self, request: Request) -> Result:
        flow_id, role = request.path

        def look(opened: Opened) -> bytes | None:
            message = views.message_of(opened.flow, role)
            return None if message is None else conversation.content(message)[0]

        data = await self._look(flow_id, look)
        if data is None:
            return _nothing()
        name = f"{flow_id}-{role}.txt"
        disposition = f'attachment; filename="{name}"'
        return Answer(data, "application/octet-stream", headers=(("content-disposition", disposition),))

    async def _media(self, request: Request) -> Result:
        flow_id, number = request.path
        if not re.fullmatch(r"\d{1,6}", number):
            return _nothing()
        dialects = self._reading.dialects
        found = await self._look(flow_id, lambda opened: opened.conversation(dialects).media.get(int(number)))
        return _nothing() if found is None else Answer(*found)

    async def _of(self, request: Request, look: Callable[[Opened], dict[str, Any] | None]) -> Result:
        """What `look` makes of the flow in the path, as JSON."""

        def encoded(opened: Opened) -> bytes | None:
            found = look(opened)
            return None if found is None else msgspec.json.encode(found)

        body = await self._look(request.path[0], encoded)
        return _nothing() if body is None else Answer(body)

    async def _look[T](self, flow_id: str, look: Callable[[Opened], T]) -> T | None:
        """What `look`, called in the thread, makes of a flow that is stored or runs."""
        if not re.fullmatch(r"[0-9a-f]{1,32}", flow_id):
            return None
        if (flow := self._hub.so_far(flow_id)) is not None:
            opened = Opened(flow)
            return await self._reading.run(lambda: look(opened))
        for _ in range(20):  # between the end of an exchange and the disk there is a moment
            found = await self._reading.open(flow_id, look)
            if found is not None or not self._hub.awaited(flow_id):
                return found
            await asyncio.sleep(0.05)
        return None


def _nothing() -> Answer:
    return json_answer({"error": "there is no such flow, or nothing of that kind in it", "hint": ""}, status=404)


def _query(request: Request) -> Query:
    return msgspec.convert({name: request.text(name) for name in _EXACT}, Query)


@cache
def _read(name: str) -> bytes:
    return (_STATIC / name).read_bytes()


def _static(name: str) -> Answer:
    return Answer(_read(name), _TYPES[Path(name).suffix])
