"""A real PostgreSQL server for tests, from Debian's package: its own files, its own port on loopback, its own end."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import IO

import psycopg

PASSWORD = "pass/word %41 of the tests"


def missing() -> str:
    """Why there can be no server here, or ""."""
    if _program("initdb") is None:
        return "PostgreSQL is not installed (apt-get install postgresql)"
    if os.getuid() == 0 and (shutil.which("setpriv") is None or _user() is None):
        return "as root a PostgreSQL server needs setpriv and a user `postgres` or `nobody`"
    return ""


class Server:
    """A server that can be stopped and started again; a context manager."""

    def __init__(self) -> None:
        # Not below pytest's directory, into which only its own user may look.
        self.home = Path(tempfile.mkdtemp(prefix="ccproxy-postgres-"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        password = self.home / "password"
        password.write_text(PASSWORD)
        if (user := _user()) is not None and os.getuid() == 0:
            for path in (self.home, password):
                os.chown(path, user.pw_uid, user.pw_gid)
        self._run(
            "initdb",
            *("--pgdata", str(self.home / "data"), "--username", "admin", "--pwfile", str(password)),
            *(
                "--auth-local",
                "trust",
                "--auth-host",
                "scram-sha-256",
                "--encoding",
                "UTF8",
                "--no-locale",
                "--no-sync",
            ),
        )

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def start(self) -> None:
        """Starts it and waits until it answers."""
        options = {"listen_addresses": "127.0.0.1", "port": self.port, "fsync": "off", "max_connections": 40}
        options |= {"unix_socket_directories": self.home, "autovacuum": "off", "shared_buffers": "16MB"}
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        self._process = subprocess.Popen(
            _command("postgres", "-D", str(self.home / "data"), *settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=self.home,
        )
        assert self._process.stderr is not None
        said = b""
        for line in self._process.stderr:
            said += line
            if b"ready to accept connections" in line:
                break
        else:
            raise AssertionError(said.decode(errors="replace"))
        threading.Thread(target=_drain, args=(self._process.stderr,), daemon=True).start()

    def stop(self) -> None:
        """Ends it at once, with all its connections."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)
            assert self._process.stderr is not None
            self._process = None

    def database(self) -> str:
        """The address of a new database, without a password, by the socket."""
        name = f"test_{next(self._numbers)}"
        with self.admin() as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql://admin@/{name}?host={self.home}&port={self.port}"

    def admin(self) -> psycopg.Connection:
        """A connection of the server's owner."""
        return psycopg.connect(host=str(self.home), port=self.port, user="admin", dbname="postgres", autocommit=True)

    def _run(self, *words: str) -> None:
        done = subprocess.run(_command(*words), capture_output=True, check=False, cwd=self.home)
        assert done.returncode == 0, done.stderr.decode(errors="replace")


def _drain(stream: IO[bytes]) -> None:
    with stream:
        for _ in stream:
            pass


def _program(name: str) -> str | None:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name)


def _user() -> pwd.struct_passwd | None:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def _command(name: str, *arguments: str) -> list[str]:
    """A command line, as somebody else than root, whom the server refuses."""
    program = _program(name)
    assert program is not None
    user = _user() if os.getuid() == 0 else None
    drop = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"] if user else []
    return [*drop, program, *arguments]
