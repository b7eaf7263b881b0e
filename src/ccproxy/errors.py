"""Every error ccproxy raises on purpose, in one tree.

Each error is written for a person: `message` is one line that says what happened and where, `hint` what to do
about it. `kind` is the stable word in the `x-ccproxy-error` header and in recorded flows; `status` is the HTTP
status the client sees (it is only a hint where an upstream has already given one). Exceptions of libraries are
mapped to these at the boundary where they appear.
"""

from __future__ import annotations


class CCProxyError(Exception):
    """Base of the tree.

    Args:
        message: one line for a person; must not hold a secret.
        hint: what to do about it, or "".
        status: overrides the class's HTTP status.
    """

    kind = "internal_error"
    status = 500
    #: The field of the request that is at fault, or "".
    param = ""

    def __init__(self, message: str, *, hint: str = "", status: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if status is not None:
            self.status = status

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class ConfigError(CCProxyError):
    """The configuration cannot be used. The command line exits with 2."""

    kind = "config_error"


class CommandError(CCProxyError):
    """A command of the command line cannot be carried out; `exit_code` is what it ends with."""

    kind = "command_error"

    def __init__(self, message: str, *, hint: str = "", exit_code: int = 1) -> None:
        super().__init__(message, hint=hint)
        self.exit_code = exit_code


class BadRequest(CCProxyError):
    """The client's request cannot be understood, or is over a limit (400, 413, 431, ...)."""

    kind = "bad_request"
    status = 400


class Untranslatable(BadRequest):
    """The request says something that the provider's dialect cannot say, and leaving it out would change its meaning."""

    kind = "untranslatable"

    def __init__(self, message: str, *, hint: str = "", status: int | None = None, param: str = "") -> None:
        super().__init__(message, hint=hint, status=status)
        self.param = param


class Forbidden(CCProxyError):
    """The Host/Origin guard or the client-key check refused the request (401 or 403)."""

    kind = "forbidden"
    status = 403


class NoRoute(CCProxyError):
    """Nothing says where this request goes (404)."""

    kind = "no_route"
    status = 404


class NotSupported(CCProxyError):
    """A feature that is asked for and that this version does not have (501)."""

    kind = "not_supported"
    status = 501


class CredentialError(CCProxyError):
    """A provider's credential could not be had, so nothing was sent (401 when the source is empty, 503 when it failed)."""

    kind = "credential_error"
    status = 503


class UpstreamError(CCProxyError):
    """The provider could not be reached or broke the protocol before an answer came (502)."""

    kind = "upstream_error"
    status = 502


class UpstreamTimeout(UpstreamError):
    """The provider did not connect, answer or go on within its time (504)."""

    kind = "upstream_timeout"
    status = 504


class UpstreamCut(UpstreamError):
    """The provider's answer ended before it was complete."""

    kind = "upstream_cut"


class Overloaded(CCProxyError):
    """ccproxy itself is at a configured limit, or shutting down (503)."""

    kind = "overloaded"
    status = 503


class HookError(CCProxyError):
    """A hook failed, and the request with it (500)."""

    kind = "hook_error"


class Refused(CCProxyError):
    """A hook refused the request, as it is meant to (403, or what the hook says)."""

    kind = "refused"
    status = 403


class StoreError(CCProxyError):
    """The flow store cannot be read or written."""

    kind = "store_error"
