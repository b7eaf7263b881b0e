"""The mitmproxy addon that resolves names for jails: as this machine resolves them, hosts file and all.

Only questions for addresses: other records are asked of the machine's name server by mitmproxy's own addon, which comes
after this one.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from concurrent.futures import ThreadPoolExecutor

from mitmproxy import dns
from mitmproxy.net.dns import classes, op_codes, response_codes, types

_TTL = 60
_THREADS = 16
_FAMILIES = {types.A: socket.AF_INET, types.AAAA: socket.AF_INET6}
_NO_SUCH_NAME = {socket.EAI_NONAME}
_NO_ADDRESS = {getattr(socket, "EAI_NODATA", socket.EAI_NONAME), getattr(socket, "EAI_ADDRFAMILY", socket.EAI_NONAME)}


class Names:
    """The addon."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="names")

    async def dns_request(self, flow: dns.DNSFlow) -> None:
        """Answers a question for addresses, unless it is answered."""
        question = flow.request.question
        if flow.response is not None or question is None or flow.request.op_code != op_codes.QUERY:
            return
        if question.class_ != classes.IN or question.type not in _FAMILIES:
            return
        found = await self.lookup(question.name, _FAMILIES[question.type])
        if isinstance(found, int):
            flow.response = flow.request.fail(found)
            return
        records = [
            dns.ResourceRecord(question.name, question.type, question.class_, _TTL, ipaddress.ip_address(text).packed)
            for text in found
        ]
        flow.response = flow.request.succeed(records)

    async def lookup(self, name: str, family: int) -> list[str] | int:
        """The addresses of a name, none if it has none of this family, or the response code of a failure."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._threads, _resolve, name, family)
        except socket.gaierror as error:
            if error.errno in _NO_ADDRESS - _NO_SUCH_NAME:
                return []
            # "No such name" is also what a name of the other family is called: then it exists.
            if error.errno in _NO_SUCH_NAME and await self._exists(name):
                return []
            return response_codes.NXDOMAIN if error.errno in _NO_SUCH_NAME else response_codes.SERVFAIL
        except UnicodeError:
            return response_codes.NXDOMAIN
        return found

    async def _exists(self, name: str) -> bool:
        try:
            await asyncio.get_running_loop().run_in_executor(self._threads, _resolve, name, socket.AF_UNSPEC)
        except (OSError, UnicodeError):
            return False
        return True

    def done(self) -> None:
        """The process ends."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _resolve(name: str, family: int) -> list[str]:
    found = socket.getaddrinfo(name.rstrip(".") or name, None, family, socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))
