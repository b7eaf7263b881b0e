"""The public test kit: a provider that does what a test says. See `FakeProvider`, and docs/how-to/test-with-fakeprovider.md."""

from ccproxy.providers.answers.script import Script, Text, Thinking, ToolCall, Usage
from ccproxy.testing.code_assist import CodeAssist
from ccproxy.testing.fake_provider import FakeProvider, refused_port
from ccproxy.testing.framing import (
    cr,
    crlf,
    no_last_blank,
    one_byte,
    split_data,
    split_utf8,
    with_bom,
    with_comments,
)
from ccproxy.testing.oauth import TokenEndpoint, Tokens, jwt
from ccproxy.testing.recorded import Disconnect, Received
from ccproxy.testing.reply import (
    Cut,
    Gate,
    Hang,
    Pause,
    Reply,
    Send,
    SlowFirstByte,
    error_in_stream,
    html,
    json_reply,
    native_error,
    no_answer,
    silence,
    sse,
)
from ccproxy.testing.threaded import ThreadedProvider
from ccproxy.testing.tls import Certificates, make_certificates
from ccproxy.testing.tracking import TrackingContext, UndeclaredAccess
from ccproxy.testing.websocket import CloseSocket, Expect, SendMessage, Socket, SocketSession

__all__ = [
    "Certificates",
    "CloseSocket",
    "CodeAssist",
    "Cut",
    "Disconnect",
    "Expect",
    "FakeProvider",
    "Gate",
    "Hang",
    "Pause",
    "Received",
    "Reply",
    "Script",
    "Send",
    "SendMessage",
    "SlowFirstByte",
    "Socket",
    "SocketSession",
    "Text",
    "Thinking",
    "ThreadedProvider",
    "TokenEndpoint",
    "Tokens",
    "ToolCall",
    "TrackingContext",
    "UndeclaredAccess",
    "Usage",
    "cr",
    "crlf",
    "error_in_stream",
    "html",
    "json_reply",
    "jwt",
    "make_certificates",
    "native_error",
    "no_answer",
    "no_last_blank",
    "one_byte",
    "refused_port",
    "silence",
    "split_data",
    "split_utf8",
    "sse",
    "with_bom",
    "with_comments",
]
