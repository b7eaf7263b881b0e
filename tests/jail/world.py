"""A world of its own for tests of the jail: no network but itself, a site that answers for everybody, and two users.

    with World() as world:
        proxy = world.proxy("user")
        proxy.jail("curl", "https://some.test/")

`root` is there only where the tests run as root; `user` is then an unprivileged one that exists in this world alone. An
interpreter below root's home is of no use to it, so everything that is run comes from a place that all may read.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from ccproxy.testing.tls import make_certificates

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
TIMEOUT = 60.0
ADDRESS, OTHER, SIX = "203.0.113.10", "203.0.113.11", "2001:db8::10"
#: Where `.ci/run` has npm put what Debian does not have.
CLIENTS = ROOT / ".cache" / "clients" / "node_modules"
RUNTIMES = {"deno": "@deno/linux-*/deno", "bun": "@oven/bun-linux-*/bin/bun"}
NAMES = ("some.test", "other.test", "six.test", "api.anthropic.com")
USER_ID = 54321

CONFIG = """\
ccproxy:
  port: {port}
  egress: {{ca_file: {ca}}}
  interceptor: {{preload: true{interceptor}}}
  gateway: {{drain_seconds: 0}}
  jail: {{allow_host: ["9999"]}}
{more}"""


@dataclass
class Person:
    """Somebody in the world."""

    uid: int
    gid: int
    home: Path


class World:
    """A context manager; see above."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="ccproxy-world-"))
        self.directory.chmod(0o755)
        self.python = self.directory / "venv" / "bin" / "python"
        self._keeper: subprocess.Popen[bytes] | None = None
        self.people: dict[str, Person] = {}
        #: Programs that CI brings along, by name.
        self.runtimes = {name: path for name, pattern in RUNTIMES.items() for path in CLIENTS.glob(pattern)}
        self._proxies: list[Proxy] = []

    def __enter__(self) -> Self:
        self._install()
        self._populate()
        self.certificates = make_certificates(self._folder("certificates"), NAMES)
        self.certificates.key.chmod(0o644)
        files = {
            "hosts": f"127.0.0.1 localhost\n{ADDRESS} some.test api.anthropic.com\n{OTHER} other.test\n{SIX} six.test\n",
            "resolv.conf": "nameserver 127.0.0.1\n",
            "passwd": Path("/etc/passwd").read_text() + f"stranger:x:{USER_ID}:{USER_ID}::/nowhere:/bin/sh\n",
        }
        binds = [[sys.base_prefix, str(self._folder("python"))], [str(ROOT / "src"), str(self._folder("source"))]]
        for name, path in self.runtimes.items():
            binds.append([str(path.parent), str(self._folder(name))])
        binds.append([sysconfig.get_path("purelib"), str(self._folder("packages"))])
        for name, text in files.items():
            path = self.directory / name
            path.write_text(text)
            path.chmod(0o644)
            if Path("/etc", name).exists():
                binds.append([str(path), os.path.realpath(Path("/etc", name))])
        spec = {
            "source": str(ROOT / "src"),
            "addresses": [ADDRESS, OTHER, SIX],
            "binds": binds,
            "certificate": [str(self.certificates.certificate), str(self.certificates.key)],
        }
        path = self.directory / "specification.json"
        path.write_text(json.dumps(spec))
        self._keeper = subprocess.Popen(
            [sys.executable, HERE / "inhabit.py", path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._keeper.stdout is not None
        assert self._keeper.stdout.readline() == b"up\n", "the world did not come up"
        return self

    def __exit__(self, *_: object) -> None:
        for proxy in self._proxies:
            proxy.stop()
        if self._keeper is not None:
            for stream in (self._keeper.stdin, self._keeper.stdout):
                assert stream is not None
                stream.close()
            self._keeper.wait()
        shutil.rmtree(self.directory)

    def command(self, who: str, *words: str | Path) -> list[str]:
        """The words that run a command as somebody in the world."""
        assert self._keeper is not None
        person = self.people[who]
        enter = [sys.executable, str(HERE / "enter.py"), str(self._keeper.pid), str(person.uid), str(person.gid)]
        return [*enter, *map(str, words)]

    def environment(self, who: str) -> dict[str, str]:
        """What somebody has in the environment."""
        home = self.people[who].home
        return {
            "HOME": str(home),
            "CCPROXY_CONFIG_DIR": str(home / "conf"),
            "CCPROXY_INSPECTOR__PORT": "null",
            "PATH": f"{self.python.parent}:{self.directory}/deno:{self.directory}/bun:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            # An interpreter with a library of its own looks for it where it was built for.
            "LD_LIBRARY_PATH": str(self.directory / "python" / "lib"),
        }

    def run(self, who: str, *words: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end."""
        more: Mapping[str, str] = options.pop("env", {})
        given = {"stdin": subprocess.DEVNULL} if "input" not in options else {}
        return subprocess.run(
            self.command(who, *words),
            env={**self.environment(who), **more},
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
            **given,
            **options,
        )

    def spawn(self, who: str, *words: str | Path, **options: Any) -> subprocess.Popen[bytes]:
        """Starts a command; ending it is the caller's."""
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        environment = {**self.environment(who), **options.pop("env", {})}
        return subprocess.Popen(self.command(who, *words), env=environment, **options)

    def proxy(self, who: str, *, port: int, more: str = "", interceptor: str = "", folder: str = "conf") -> Proxy:
        """A running proxy of somebody's, which ends with the world.

        Args:
            more: YAML to add below `ccproxy`; `interceptor`: members to add to that mapping.
            folder: its configuration directory, below the home.
        """
        proxy = Proxy(self, who, port, more, interceptor, folder)
        self._proxies.append(proxy)
        return proxy

    def _folder(self, name: str) -> Path:
        folder = self.directory / name
        folder.mkdir(mode=0o755)
        return folder

    def _install(self) -> None:
        """An environment that needs nothing of the one that the tests run in, but what the world lends it."""
        lib = f"python{sys.version_info.major}.{sys.version_info.minor}"
        venv = self._folder("venv")
        packages = venv / "lib" / lib / "site-packages"
        packages.mkdir(parents=True)
        self.python.parent.mkdir()
        interpreter = self.directory / "python" / "bin" / lib
        self.python.symlink_to(interpreter)
        (venv / "pyvenv.cfg").write_text(f"home = {interpreter.parent}\ninclude-system-site-packages = false\n")
        (packages / "lent.pth").write_text(f"{self.directory / 'source'}\n{self.directory / 'packages'}\n")

    def _populate(self) -> None:
        ids = {"root": 0, "user": USER_ID} if os.geteuid() == 0 else {"user": os.getuid()}
        for name, uid in ids.items():
            home = self._folder(f"home-{name}")
            gid = uid if os.geteuid() == 0 else os.getgid()
            (home / "conf").mkdir()
            if os.geteuid() == 0:
                os.chown(home, uid, gid)
                os.chown(home / "conf", uid, gid)
            self.people[name] = Person(uid, gid, home)


class Proxy:
    """Somebody's proxy, running."""

    def __init__(self, world: World, who: str, port: int, more: str, interceptor: str, folder: str) -> None:
        self.world = world
        self.who = who
        person = world.people[who]
        self.folder = person.home / folder
        self.folder.mkdir(exist_ok=True)
        if os.geteuid() == 0:
            os.chown(self.folder, person.uid, person.gid)
        members = f", {interceptor}" if interceptor else ""
        text = CONFIG.format(port=port, ca=world.certificates.ca, interceptor=members, more=more)
        (self.folder / "ccproxy.yaml").write_text(text)
        self.start()

    def start(self) -> None:
        started = self.ccproxy("start", "--detach")
        assert started.returncode == 0, started.stderr

    def stop(self) -> None:
        self.ccproxy("stop")

    def ccproxy(self, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Runs a command of ccproxy."""
        options["env"] = self._own(options.pop("env", {}))
        return self.world.run(self.who, self.world.python, "-P", "-m", "ccproxy", *words, **options)

    def _own(self, environment: Mapping[str, str]) -> dict[str, str]:
        return {"CCPROXY_CONFIG_DIR": str(self.folder), **environment}

    def jail(
        self, *words: str | Path, options: Sequence[str] = ("--quiet",), **more: Any
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command in a jail."""
        return self.ccproxy("run", "--inspect", *options, "--", *map(str, words), **more)

    def start_jail(self, *words: str, options: Sequence[str] = (), **more: Any) -> subprocess.Popen[bytes]:
        """Starts a command in a jail; ending it is the caller's."""
        run = ("run", "--inspect", "--quiet", *options, "--", *words)
        more["env"] = self._own(more.pop("env", {}))
        return self.world.spawn(self.who, self.world.python, "-P", "-m", "ccproxy", *run, **more)

    def flows(self, **facts: object) -> list[dict[str, Any]]:
        """The recorded flows, as `flows list --json` has them, with these values in `ccproxy`."""
        listed = json.loads(self.ccproxy("flows", "list", "--json").stdout or "[]")
        return [flow for flow in listed if all(flow["ccproxy"][name] == value for name, value in facts.items())]

    @property
    def interceptor(self) -> int:
        """The process id of its interceptor."""
        return int(json.loads(self.ccproxy("namespace", "status", "--json").stdout)["interceptor"]["pid"])
