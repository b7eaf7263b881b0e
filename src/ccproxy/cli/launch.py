"""Starting a proxy in a process of its own, and knowing when it is ready.

The child is an ordinary `ccproxy start` with `--ready-fd`: until it is ready it shares our terminal, so its errors
appear there as they are; then it lets go of it and writes its URLs into the pipe. The end of the pipe without URLs means
that it has ended, so nothing here waits for time to pass.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence

from ccproxy.errors import CommandError

READY_SECONDS = 60.0
END_SECONDS = 5.0


class Ended(CommandError):
    """The proxy ended before it was ready, with `exit_code`; what it had to say is on stderr already."""


def launch(
    arguments: Sequence[str], environment: Mapping[str, str], *, seconds: float = READY_SECONDS
) -> tuple[subprocess.Popen[bytes], list[str]]:
    """Starts `ccproxy ARGUMENTS --ready-fd N` in a session of its own and returns when it serves.

    Args:
        arguments: `start` and its options, with global options before it.
        environment: the child's whole environment.
        seconds: how long it may take.

    Returns the process and its URLs. Raises Ended if it ended by itself, CommandError if it was killed or took too long.
    """
    reader, writer = os.pipe()
    # -P: a folder called ccproxy in the current directory is not us.
    line = [sys.executable, "-P", "-m", "ccproxy", *arguments, "--ready-fd", str(writer)]
    with os.fdopen(reader, "rb") as pipe:
        child = subprocess.Popen(  # noqa: S603
            line, env=dict(environment), stdin=subprocess.DEVNULL, start_new_session=True, pass_fds=(writer,)
        )
        os.close(writer)
        try:
            answered = bool(select.select([pipe], [], [], seconds)[0])
            message = pipe.read() if answered else b""
        except BaseException:
            _end(child)
            raise
    if message:
        return child, json.loads(message)
    if not answered:
        _end(child)
        raise CommandError(f"the proxy was not ready within {seconds:g} seconds and was ended")
    code = child.wait()
    if code < 0:
        raise CommandError(f"the proxy was ended by {signal.Signals(-code).name} before it was ready")
    raise Ended("the proxy did not start", exit_code=code or 1)


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def announcer(descriptor: int) -> Callable[[list[str]], None]:
    """For the child: what to call with the URLs once they are served. It lets go of the terminal, then tells."""
    os.set_inheritable(descriptor, False)

    def announce(urls: list[str]) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        null = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(null, standard)
        os.close(null)
        os.write(descriptor, json.dumps(urls).encode())
        os.close(descriptor)

    return announce
