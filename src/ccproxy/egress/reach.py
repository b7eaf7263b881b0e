"""Whether providers can be reached: found out at the start, and kept up to date by the requests that are sent.

At the start a connection to each provider is opened (name, TCP, the proxy, TLS) and closed again; nothing is sent. What
fails is a warning and not the end: a laptop may be started before its network. From then on every try tells how it
went, so what is shown is never older than the last request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from ccproxy.egress.pooled import PooledTransport
from ccproxy.egress.transport import Timeouts
from ccproxy.errors import CCProxyError
from ccproxy.providers.base import Provider

#: The longest that one provider is tried, in seconds.
PATIENCE = 5.0


class Reach:
    """The providers that could not be reached when that was last tried.

    Attributes:
        problems: what was wrong, by the provider's name.
    """

    def __init__(self) -> None:
        self.problems: dict[str, str] = {}

    def note(self, name: str, problem: str) -> None:
        """How a try has ended; "" is well."""
        if problem:
            self.problems[name] = problem
        elif self.problems:
            self.problems.pop(name, None)

    async def check(self, providers: Iterable[Provider], network: PooledTransport) -> None:
        """Connects to all of them at once, those that answer in this process aside."""
        async with asyncio.TaskGroup() as group:
            for provider in providers:
                if not provider.type.in_process:
                    group.create_task(self._check(provider, network))

    async def _check(self, provider: Provider, network: PooledTransport) -> None:
        self.note(provider.name, await unreachable(provider, network))


async def unreachable(provider: Provider, network: PooledTransport, *, seconds: float = PATIENCE) -> str:
    """Why no connection to a provider can be made, or ""."""
    limits = Timeouts(seconds, seconds, seconds)
    try:
        await network.reach(provider.scheme, provider.host, provider.port, verify=provider.verify, timeouts=limits)
    except CCProxyError as error:
        return str(error)
    return ""
