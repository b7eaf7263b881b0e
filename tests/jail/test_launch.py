"""Commands in real jails, as root and as somebody without privileges: what gets out, what does not, and how it ends."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import pty
import re
import select
import shlex
import shutil
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path

import pytest

from ccproxy.jail import launch
from jail.conftest import REQUIRED
from jail.world import ADDRESS, OTHER, SIX, TIMEOUT, Proxy, World

URLLIB = "import urllib.request as u; print(u.urlopen('https://some.test/urllib').read().decode())"
NODE = "fetch('https://some.test/fetch').then(r=>r.text()).then(console.log)"
NODE_HTTPS = "require('https').get('https://some.test/https',r=>r.pipe(process.stdout))"
JAVA = (
    "class G { public static void main(String[] a) throws Exception { System.out.print(new String("
    'new java.net.URL("https://some.test/java").openStream().readAllBytes())); } }'
)
FETCH = """
const name = (globalThis.Deno ? Deno.args : process.argv.slice(2))[0];
console.log(await (await fetch("https://some.test/" + name)).text());
"""
#: Tells when it begins and when it is continued, and ends with what it reads. No word of it is a match for what it says.
JOB = (
    "import os, signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCONT}); os.write(1, b'begin%d' % 1); "
    "signal.sigwait({signal.SIGCONT}); os.write(1, b'back%d' % 1); print('got', input()); sys.exit(5)"
)
#: Built from Go's own library alone, so nothing is fetched for it.
GO = """
package main

import ("io"; "net/http"; "os")

func main() {
	answer, err := http.Get("https://some.test/go")
	if err != nil { panic(err) }
	io.Copy(os.Stdout, answer.Body)
}
"""
AIOHTTP = """
import asyncio, aiohttp
async def main():
    async with aiohttp.ClientSession() as session, session.get("https://some.test/aiohttp") as answer:
        print(await answer.text())
asyncio.run(main())
"""
WEBSOCKET = """
import sys
from websockets.sync.client import connect
with connect(f"wss://{sys.argv[1]}/ws", proxy=None) as socket:
    socket.send("hello")
    print(socket.recv())
"""
#: A question for an address record of some.test, asked of an address of the caller's choice.
ASK_DNS = """
import socket, sys
question = b"\\0\\1\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\4some\\4test\\0\\0\\1\\0\\1"
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.settimeout(10)
    s.sendto(question, (sys.argv[1], 53))
    print(".".join(map(str, s.recv(512)[-4:])))
"""


def alive(marker: str) -> list[int]:
    """The processes whose command line holds a marker."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            with contextlib.suppress(OSError):
                if marker.encode() in (path / "cmdline").read_bytes():
                    found.append(int(path.name))
    return found


def environment_of(pid: int) -> bytes:
    """The environment of a process, b"" of one that has gone."""
    try:
        return Path("/proc", str(pid), "environ").read_bytes()
    except OSError:
        return b""


def residue(proxy: Proxy) -> dict[str, object]:
    """What a run could leave behind on the machine and in the proxy."""
    # Others on this machine may have jails of their own.
    ours = [pid for pid in alive("ccproxy") if str(proxy.world.directory).encode() in environment_of(pid)]
    return {
        "mounts": Path("/proc/self/mountinfo").read_text(),
        "helpers": [pid for pid in ours if pid in alive("ccproxy.jail.helper")],
        "processes": sorted(ours),
        "namespaces": {str(path.readlink()) for pid in ours for path in Path("/proc", str(pid), "ns").iterdir()},
        "descriptors": len(list(Path("/proc", str(proxy.interceptor), "fd").iterdir())),
        "files": sorted(path.name for path in (proxy.folder / "state").rglob("*") if "flows" not in path.name),
    }


def gone(marker: str, where: str = "") -> bool:
    """Whether no process with the marker (and `where` in its environment) is left, within the time the kernel takes."""
    end = time.monotonic() + TIMEOUT
    while found := [pid for pid in alive(marker) if where.encode() in environment_of(pid)]:
        if time.monotonic() > end:
            break
        select.select([], [], [], 0.02)
    return not found


def importable(*modules: str) -> bool:
    """Whether the system's Python has all of these."""
    done = subprocess.run(["/usr/bin/python3", "-c", f"import {', '.join(modules)}"], capture_output=True, check=False)
    return done.returncode == 0


@pytest.fixture(scope="module")
def go_program(world: World, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A program in Go, or a name that leads to none where there is no Go."""
    target = world.directory / "go-get"
    if go := shutil.which("go"):
        folder = tmp_path_factory.mktemp("go")
        (folder / "get.go").write_text(GO)
        environment = {"HOME": str(folder), "PATH": os.environ["PATH"], "GOPROXY": "off", "GO111MODULE": "off"}
        # Debian has the library built for programs that are linked by a C compiler, which saves ten seconds.
        environment["CGO_ENABLED"] = "1" if shutil.which("gcc") else "0"
        subprocess.run([go, "build", "-o", target, "get.go"], cwd=folder, env=environment, check=True, timeout=TIMEOUT)
        target.chmod(0o755)
    return str(target)


class TestClients:
    """Each is told nothing of a proxy, and trusts it all the same."""

    @pytest.mark.parametrize("engine", ["tun", "redirect"])
    def test_curl(self, proxy: Proxy, engine: str) -> None:
        done = proxy.jail("curl", "-sS", "https://some.test/curl", options=("--engine", engine, "-q"))
        assert (done.stdout, done.stderr, done.returncode) == ("site some.test /curl\n", "", 0)
        flow = proxy.flows()[-1]
        assert flow["request"]["pretty_host"] == "some.test"
        assert flow["ccproxy"]["door"] == "interceptor"
        assert re.fullmatch(r"\d+ curl", flow["ccproxy"]["process"])

    def test_everybody_else(self, proxy: Proxy, go_program: str) -> None:
        home, world = proxy.world.people[proxy.who].home, proxy.world
        (home / "G.java").write_text(JAVA)
        (home / "fetch.js").write_text(FETCH)
        python, system = str(world.python), "/usr/bin/python3"
        wanted = {
            "wget": ["wget", "-q", "-O", "-", "https://some.test/wget"],
            "urllib": [system, "-c", URLLIB],
            "httpx": [system, "-c", "import httpx; print(httpx.get('https://some.test/httpx').text)"],
            "requests": [system, "-c", "import requests; print(requests.get('https://some.test/requests').text)"],
            "aiohttp": [system, "-c", AIOHTTP],
            # With the authorities that they bring along, not those that Debian has them use.
            "certifi": [python, "-c", "import requests; print(requests.get('https://some.test/certifi').text)"],
            "httpx2": [python, "-c", "import httpx2; print(httpx2.get('https://some.test/httpx2').text)"],
            "fetch": ["node", "-e", NODE],
            "https": ["node", "-e", NODE_HTTPS],
            "go": [go_program],
            "deno": ["deno", "run", "--allow-net", str(home / "fetch.js"), "deno"],
            "bun": ["bun", "run", str(home / "fetch.js"), "bun"],
            "java": ["java", str(home / "G.java")],
            "openssl": ["sh", "-c", "printf 'GET /openssl HTTP/1.0\\r\\nhost: some.test\\r\\n\\r\\n' | openssl s_client "
                        "-quiet -verify_quiet -verify_return_error -connect some.test:443 -servername some.test"],
        }  # fmt: skip
        path = world.environment(proxy.who)["PATH"]
        there = {"certifi", "httpx2", *world.runtimes}
        there |= {name for name, words in wanted.items() if shutil.which(words[0], path=path)}
        if not shutil.which("python3", path="/usr/bin") or not importable("httpx", "requests", "aiohttp"):
            there -= {"httpx", "requests", "aiohttp"}
        absent = wanted.keys() - there - {"java", "deno", "bun"}
        assert not (absent and os.environ.get(REQUIRED)), f"there is no {', '.join(absent)}"
        present = {name: words for name, words in wanted.items() if name in there}
        script = (
            "import json, subprocess, sys\n"
            "runs = {name: subprocess.Popen(words, stdout=-1, stderr=-1, text=True) for name, words in "
            "json.loads(sys.argv[1]).items()}\n"
            "print(json.dumps({name: run.communicate() for name, run in runs.items()}))\n"
        )
        done = proxy.jail(python, "-c", script, json.dumps(present))
        answers = json.loads(done.stdout)
        failed = {name: answer for name, answer in answers.items() if f"site some.test /{name}" not in answer[0]}
        assert not failed
        flows = {flow["request"]["path"]: flow["ccproxy"] for flow in proxy.flows()}
        assert {f"/{name}" for name in present} <= flows.keys()
        assert all(flows[f"/{name}"]["process"] for name in present)

    def test_git(self, one: Proxy) -> None:
        done = one.jail("git", "ls-remote", "https://some.test/r.git")
        assert "certificate" not in done.stderr
        assert "not valid" in done.stderr  # it came as far as the site's answer
        assert one.flows()[-1]["request"]["path"].startswith("/r.git/info/refs")

    def test_an_own_bundle_of_the_user_stays_and_is_extended(self, one: Proxy) -> None:
        bundle = one.world.people[one.who].home / "own.pem"
        bundle.write_bytes(one.world.certificates.ca.read_bytes())
        bundle.chmod(0o644)
        env = {"SSL_CERT_FILE": str(bundle)}
        done = one.jail("sh", "-c", "echo $SSL_CERT_FILE; curl -sS https://some.test/own", env=env)
        assert done.stdout == f"{bundle}\nsite some.test /own\n"
        assert bundle.read_bytes() == one.world.certificates.ca.read_bytes()


class TestTraffic:
    def test_a_provider_s_request_is_the_gateway_s(self, proxy: Proxy) -> None:
        request = {"model": "claude-x", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
        url = "https://api.anthropic.com/v1/messages"
        words = ["-H", "x-api-key: sk-ant-api03-dummy-canary", "-H", "anthropic-version: 2023-06-01"]
        done = proxy.jail("curl", "-sS", url, *words, "--json", json.dumps(request), options=())
        assert json.loads(done.stdout)["content"] == [{"type": "text", "text": "hi"}]
        assert re.search(r"run \w+: 1 request; 11 → 7 tokens; cost unknown for 1; api.anthropic.com 1\n", done.stderr)
        flow = proxy.flows()[-1]
        assert flow["ccproxy"]["operation"] == "messages"
        assert flow["ccproxy"]["reason"] == "intercepted"
        assert flow["ccproxy"]["client_request"]["url"] == url
        assert flow["ccproxy"]["run"] in done.stderr
        names = [name.lower() for name, _ in flow["request"]["headers"]]
        assert not [name for name in names if name.startswith("x-ccproxy")]
        store = proxy.folder / "state"
        assert not [path for path in store.iterdir() if path.is_file() and b"dummy-canary" in path.read_bytes()]

    @pytest.mark.parametrize("host", ["some.test", "api.anthropic.com"])
    def test_many_at_once_from_one_client(self, one: Proxy, host: str) -> None:
        done = one.jail("curl", "-sS", "-Z", "--parallel-max", "20", f"https://{host}/many/[1-40]")
        assert sorted(done.stdout.splitlines()) == sorted(f"site {host} /many/{number}" for number in range(1, 41))

    def test_a_kept_connection_is_used_again(self, one: Proxy) -> None:
        # Destinations of both kinds on one client connection each, more often than any limit on connections.
        for host in ("some.test", "api.anthropic.com"):
            done = one.jail("curl", "-sS", "--http1.1", "-w", "%{num_connects}\n", f"https://{host}/kept/[1-12]")
            connects = [line for line in done.stdout.splitlines() if not line.startswith("site")]
            assert connects == ["1", *["0"] * 11]

    def test_a_sentinel_goes_nowhere_else(self, one: Proxy) -> None:
        done = one.jail("curl", "-sS", "https://other.test/", "-H", "authorization: Bearer sk-ant-oat-ccproxy-demo")
        assert "is no provider's host" in done.stdout
        assert one.flows()[-1]["ccproxy"]["outcome"] == "refused"

    def test_large_bodies_both_ways(self, one: Proxy) -> None:
        script = "head -c 31457280 /dev/zero | curl -sS --data-binary @- https://some.test/echo; "
        script += "curl -sS https://some.test/big/30 | wc -c"
        assert one.jail("sh", "-c", script).stdout == "got 31457280 0\n31457280\n"

    @pytest.mark.parametrize("host", ["some.test", "api.anthropic.com"])
    def test_events_come_as_they_are_sent(self, one: Proxy, host: str) -> None:
        # The second event is sent when the first one has come.
        script = f"curl -sSN https://{host}/sse | while read line; do echo $line; case $line in *0) "
        script += "curl -sS -o /dev/null https://some.test/next;; esac; done"
        done = one.jail("sh", "-c", script)
        assert done.stdout.split() == ["data:", "0", "data:", "1", "data:", "2"]

    @pytest.mark.parametrize("host", ["some.test", "api.anthropic.com"])
    def test_websockets(self, one: Proxy, host: str) -> None:
        assert one.jail(one.world.python, "-c", WEBSOCKET, host).stdout == "hello\n"
        flow = one.flows()[-1]
        assert flow["websocket"]["messages_meta"]["count"] == 2

    def test_what_is_not_http(self, one: Proxy) -> None:
        script = f"exec 3<>/dev/tcp/{OTHER}/7; echo a >&3; head -1 <&3; exec 3>&-; "
        script += f"exec 3<>/dev/tcp/{OTHER}/25; head -1 <&3; exec 3>&-; "
        script += f"exec 3<>/dev/udp/{ADDRESS}/7; echo b >&3; head -1 <&3"
        done = one.jail("bash", "-c", script)
        assert done.stdout.split("\n") == ["echo a", "220 hello", "echo b", ""]
        first, second, third = one.flows()[-3:]
        assert {flow["type"] for flow in (first, second, third)} == {"tcp", "udp"}
        assert "2 bytes sent, 7 received" in str([flow["ccproxy"]["reason"] for flow in (first, second, third)])

    def test_quic_is_refused_at_once(self, one: Proxy) -> None:
        done = one.jail("bash", "-c", f"exec 3<>/dev/udp/{ADDRESS}/443; echo b >&3; head -1 <&3")
        assert os.strerror(errno.ECONNREFUSED) in done.stderr

    @pytest.mark.parametrize("engine", ["tun", "redirect"])
    def test_ipv6_and_names(self, one: Proxy, engine: str) -> None:
        python = str(one.world.python)
        script = f"curl -sSg 'http://[{SIX}]/'; {python} -c '{ASK_DNS}' 10.0.0.53"
        done = one.jail("sh", "-c", script, options=("-q", "--engine", engine))
        assert done.stdout == f"site [{SIX}] /\n{ADDRESS}\n", done.stderr


class TestPolicies:
    def test_a_denied_host_is_told_why(self, one: Proxy) -> None:
        script = "curl -sS https://other.test/x; curl -sS https://some.test/x"
        done = one.jail("sh", "-c", script, options=("-q", "--deny", "other.test"))
        refusal, answer = done.stdout.splitlines()
        assert "other.test is denied (--deny)" in refusal
        assert answer == "site some.test /x"
        assert one.flows()[-2]["error"]["msg"] == "other.test is denied (--deny)"

    def test_only_what_is_allowed_and_the_providers(self, one: Proxy) -> None:
        script = f"""for url in https://some.test/x https://other.test/x http://{OTHER}/x https://api.anthropic.com/x; do
            curl -sS -o /dev/null -w '%{{http_code}} ' $url; done
            exec 3<>/dev/tcp/{OTHER}/7 && echo x >&3 && head -1 <&3; echo end"""
        done = one.jail("bash", "-c", script, options=("-q", "--allow-net", "some.test"))
        assert done.stdout == "200 403 403 200 end\n"

    def test_a_pattern_that_is_none_is_refused(self, one: Proxy) -> None:
        done = one.jail("true", options=("--deny", "not a host"))
        assert (done.returncode, done.stdout) == (125, "")
        assert "is no host, *.domain, address or network" in done.stderr

    def test_a_port_of_this_machine_only_by_name(self, one: Proxy) -> None:
        script = "exec 3<>/dev/tcp/host.ccproxy.internal/9999; echo a >&3; head -1 <&3; "
        script += "curl -sS http://host.ccproxy.internal:8888/"
        allowed, refused = one.jail("bash", "-c", script).stdout.splitlines()
        assert allowed == "echo a"
        assert "port 8888 of this machine is not in jail.allow_host" in refused

    def test_a_refused_connection_ends_at_once(self, one: Proxy) -> None:
        # Port 143 is one on which the server speaks first, so the connection is made before the client says a word.
        ask = f"for _ in 1 2 3 4 5 6 7 8; do curl -sS -m 20 http://{ADDRESS}:143/; echo $?; done"
        assert set(one.jail("sh", "-c", ask).stdout.split()) == {"52"}

    def test_proxies_and_what_is_on_loopback_are_left_out(self, one: Proxy) -> None:
        env = {
            "https_proxy": "http://proxy.test:3128",
            "OPENAI_BASE_URL": "http://localhost:4000/v1",
            "ANTHROPIC_BASE_URL": "http://gateway.test",
        }
        show = ("sh", "-c", "echo $https_proxy,$OPENAI_BASE_URL,$ANTHROPIC_BASE_URL")
        done = one.jail(*show, options=(), env=env)
        assert done.stdout == ",,http://gateway.test\n"
        assert "left out, since everything goes through the jail's own way: https_proxy, OPENAI_BASE_URL" in done.stderr
        assert one.jail(*show, options=("-q", "--no-proxy-env"), env=env).stdout == ",,\n"

    def test_a_proxy_on_the_way_is_no_way_around(self, one: Proxy) -> None:
        through = ["curl", "-sS", "-x", f"http://{OTHER}:80"]
        done = one.jail(*through, "-p", "http://127.0.0.1:4101/health")
        assert (done.returncode, done.stdout) == (56, "")
        assert "response 400" in done.stderr  # mitmproxy takes no CONNECT where it is not the one that is asked
        assert (
            one.jail(*through, "http://localhost/", options=("-q", "--deny", "localhost")).stdout.count("denied") == 1
        )


class TestIsolation:
    def test_who_and_what_is_in_it(self, proxy: Proxy) -> None:
        script = "id -u; grep CapEff /proc/self/status; ls /sys/class/net > /dev/null; "
        script += (
            "sed -n 's/:.*//;3,$p' /proc/net/dev | tr -d ' ' | sort | xargs; cat /proc/1/comm | wc -l; ps ax | wc -l"
        )
        lines = proxy.jail("sh", "-c", script).stdout.splitlines()
        assert lines[:3] == [str(proxy.world.people[proxy.who].uid), "CapEff:\t0000000000000000", "lo wg0"]
        assert int(lines[4]) < 10

    @pytest.mark.parametrize("engine", ["tun", "redirect"])
    def test_ways_out_that_are_closed(self, proxy: Proxy, engine: str) -> None:
        keeper = proxy.interceptor
        script = f"""
            exec 2>/dev/null
            (exec 3<>/dev/tcp/127.0.0.1/9999) && echo ESCAPE loopback
            (exec 3<>/dev/tcp/::1/9999) && echo ESCAPE loopback6
            curl -sS -m 5 http://10.0.2.2:9999/ | grep echo && echo ESCAPE gateway
            curl -sS -m 5 http://169.254.169.254/ | grep -q site && echo ESCAPE metadata
            nsenter -t {keeper} -n true && echo ESCAPE setns
            ip link add d0 type dummy && echo ESCAPE link
            ip route replace default dev lo && echo ESCAPE route
            mount -t tmpfs none /mnt && echo ESCAPE mount
            unshare -r true && echo ESCAPE nothing
            unshare -r ip link set wg0 down && echo ESCAPE link in a namespace of its own
            unshare -rm umount /etc/resolv.conf && echo ESCAPE uncovered
            unshare -rm umount {proxy.folder}/state/control-*.sock && echo ESCAPE control socket
            ip tuntap add d1 mode tun && echo ESCAPE tun
            {proxy.world.python} -c 'import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)' && echo ESCAPE raw
            {proxy.world.python} -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)' && echo ESCAPE icmp
            {proxy.world.python} -c 'import socket; socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)' && echo ESCAPE vsock
            for host in '[::ffff:127.0.0.1]' 0.0.0.0 127.0.0.2 169.254.1.1 '[fe80::1%25lo]' localhost; do
                curl -sSg -m 5 http://$host:9999/ | grep echo && echo ESCAPE $host
            done
            curl -sS -m 5 http://{OTHER}/ -H 'host: 127.0.0.1:9999' | grep echo && echo ESCAPE by name
            curl -sS -m 5 --connect-to ::{OTHER}:80 http://localhost:9999/ | grep echo && echo ESCAPE by another name
            kill -0 {keeper} && echo ESCAPE process
            echo done"""
        done = proxy.jail("bash", "-c", script, options=("-q", "--engine", engine))
        # An own user namespace is no way out: what it gives is power over what is inside.
        assert done.stdout.replace("ESCAPE nothing\n", "") == "done\n"

    def test_an_abstract_socket_of_the_machine_is_not_there(self, one: Proxy) -> None:
        listener = one.world.spawn(
            one.who,
            one.world.python,
            "-c",
            "import socket\ns = socket.socket(socket.AF_UNIX)\ns.bind('\\0ccproxy-test')\ns.listen()\nprint('up', flush=True)\ns.accept()",
        )
        try:
            assert listener.stdout is not None
            assert listener.stdout.readline() == b"up\n"
            connect = "import socket; socket.socket(socket.AF_UNIX).connect('\\0ccproxy-test')"
            done = one.jail(one.world.python, "-c", connect)
            assert "ConnectionRefusedError" in done.stderr
        finally:
            listener.kill()
            listener.communicate()

    def test_what_is_the_proxy_s_alone(self, one: Proxy) -> None:
        conf = one.folder
        script = f"cat {conf}/mitmproxy-ca.pem | wc -c; test -S {conf}/state/control-*.sock && echo socket; "
        script += "ccproxy namespace status > /dev/null && echo asked; echo end"
        assert one.jail("sh", "-c", script).stdout == "0\nend\n"
        assert b"PRIVATE KEY" in (conf / "mitmproxy-ca.pem").read_bytes()

    def test_nothing_is_left_behind(self, one: Proxy) -> None:
        temporary = one.world.people[one.who].home / "tmp"
        one.world.run(one.who, "mkdir", temporary)
        environment = {"TMPDIR": str(temporary)}
        one.jail("true", env=environment)
        before = residue(one)
        assert before["helpers"] == []
        runs = [one.start_jail("curl", "-sS", "https://some.test/", env=environment) for _ in range(5)]
        assert {run.communicate(timeout=TIMEOUT)[0] for run in runs} == {b"site some.test /\n"}
        one.jail("no-such-command", env=environment)
        # The interceptor closes a run's way when its launcher has gone.
        end = time.monotonic() + TIMEOUT
        while residue(one) != before and time.monotonic() < end:
            select.select([], [], [], 0.05)
        assert residue(one) == before
        assert list(temporary.iterdir()) == []

    def test_files_of_the_machine_are_untouched(self, one: Proxy) -> None:
        bundle = Path("/etc/ssl/certs/ca-certificates.crt")
        before = bundle.read_bytes()
        inside = one.jail("wc", "-c", str(bundle)).stdout.split()[0]
        assert int(inside) > len(before)
        assert bundle.read_bytes() == before


class TestProcess:
    @pytest.mark.parametrize(
        ("script", "code"),
        [("exit 42", 42), ("kill -TERM $$", -signal.SIGTERM), ("kill -KILL $$", -signal.SIGKILL), ("exit 0", 0)],
    )
    def test_it_ends_as_the_command_ends(self, proxy: Proxy, script: str, code: int) -> None:
        assert proxy.jail("sh", "-c", script).returncode == code

    def test_a_command_that_is_not_there(self, one: Proxy) -> None:
        done = one.jail("no-such-command")
        assert (done.returncode, done.stderr) == (127, "ccproxy: no-such-command: command not found\n")

    def test_input_and_output_are_its_own(self, one: Proxy) -> None:
        done = one.jail("sh", "-c", "wc -l; echo err >&2", input="a\nb\n")
        assert (done.stdout, done.stderr) == ("2\n", "err\n")

    def test_sigterm_reaches_the_command(self, one: Proxy) -> None:
        run = one.start_jail("sh", "-c", "trap 'echo got; exit 9' TERM; echo up; while :; do sleep 0.05; done")
        assert run.stdout is not None
        assert run.stdout.readline() == b"up\n"
        run.send_signal(signal.SIGTERM)
        out, _ = run.communicate(timeout=TIMEOUT)
        assert (out, run.returncode) == (b"got\n", 9)

    def test_signals_wait_until_there_is_somebody_to_get_them(self) -> None:
        sent: list[tuple[int, int]] = []
        signals = launch.HandedOn(lambda pid, number: sent.append((pid, number)))
        signals.handler(signal.SIGTERM, None)
        assert sent == []
        signals.to(7)
        signals.handler(signal.SIGHUP, None)
        assert sent == [(7, signal.SIGTERM), (7, signal.SIGHUP)]

    def test_a_signal_for_the_whole_group_ends_only_what_does_not_want_it(self, one: Proxy) -> None:
        script = "trap 'echo got; exit 9' TERM; echo up; while :; do sleep 0.05; done"
        run = one.start_jail("sh", "-c", script, start_new_session=True)
        assert run.stdout is not None
        assert run.stdout.readline() == b"up\n"
        os.killpg(run.pid, signal.SIGTERM)
        out, _ = run.communicate(timeout=TIMEOUT)
        assert (out.splitlines()[0], run.returncode) == (b"got", 9)

    def test_process_1_hands_on_what_comes_at_once(self, one: Proxy) -> None:
        done = one.jail("sh", "-c", "trap 'exit 9' TERM; kill -TERM 1; while :; do sleep 0.05; done")
        assert done.returncode == 9

    def test_nothing_survives_a_killed_launcher(self, proxy: Proxy) -> None:
        marker = f"7{os.getpid():06d}1"
        run = proxy.start_jail("sh", "-c", f"setsid sleep {marker} & sleep {marker} & echo up; wait")
        assert run.stdout is not None
        assert run.stdout.readline() == b"up\n"
        run.kill()
        run.communicate()
        assert gone(f"sleep\0{marker}")
        assert gone("ccproxy.jail.helper", str(proxy.world.directory))
        end = time.monotonic() + TIMEOUT
        while jails(proxy) and time.monotonic() < end:
            select.select([], [], [], 0.02)
        assert jails(proxy) == []

    def test_background_processes_end_with_the_command(self, one: Proxy) -> None:
        marker = f"7{os.getpid():06d}2"
        one.jail("sh", "-c", f"setsid sleep {marker} & exit 0")
        assert gone(f"sleep\0{marker}")

    def test_what_was_open_at_the_end_is_recorded(self, one: Proxy) -> None:
        # The shell ends when the answer has begun; its child goes with it, and its connection with the network.
        script = "exec 3<&1; curl -sSN https://some.test/forever | (read line; kill -KILL 2)"
        done = one.jail("sh", "-c", script, options=())
        assert done.returncode == -signal.SIGKILL
        assert re.search(r"run \w+: 1 request; 1 failed or refused; some.test 1\n", done.stderr)
        flow = one.flows()[-1]
        assert (flow["request"]["path"], flow["ccproxy"]["outcome"]) == ("/forever", "client_gone")

    def test_several_at_once_are_told_apart(self, one: Proxy) -> None:
        runs = [one.start_jail("curl", "-sS", f"https://some.test/one-of-five/{number}") for number in range(5)]
        answers = sorted(run.communicate(timeout=TIMEOUT)[0] for run in runs)
        assert answers == [f"site some.test /one-of-five/{number}\n".encode() for number in range(5)]
        flows = [flow for flow in one.flows() if "/one-of-five/" in flow["request"]["path"]]
        assert len({flow["ccproxy"]["run"] for flow in flows}) == 5

    def test_many_in_a_row(self, one: Proxy) -> None:
        for _ in range(20):
            assert one.jail("curl", "-sS", "http://some.test/again").stdout == "site some.test /again\n"

    def test_without_a_proxy_nothing_is_run(self, one: Proxy) -> None:
        done = one.jail("echo", "ran", env={"CCPROXY_PORT": "4999", "CCPROXY_CONFIG_DIR": "/nowhere"})
        assert (done.returncode, done.stdout) == (125, "")
        assert "the proxy is down" in done.stderr


def jails(proxy: Proxy) -> list[object]:
    status = json.loads(proxy.ccproxy("namespace", "status", "--json").stdout)
    found: list[object] = status["interceptor"]["jails"]
    return found


class TestFailClosed:
    def test_the_interceptor_is_killed_in_the_middle_of_an_answer(self, proxy: Proxy) -> None:
        script = (
            "curl -sSN https://some.test/forever; echo first $?; "
            "curl -sS https://some.test/; echo second $?; "
            f"curl -sS http://{OTHER}/; echo third $?"
        )
        run = proxy.start_jail("sh", "-c", script)
        assert run.stdout is not None
        assert run.stdout.readline() == b"begun\n"
        begun = time.monotonic()
        os.kill(proxy.interceptor, signal.SIGKILL)
        out, err = run.communicate(timeout=TIMEOUT)
        assert time.monotonic() - begun < 10
        words = out.decode().split()
        assert words[0::2] == ["first", "second", "third"]
        assert "0" not in words[1::2]
        assert b"the interceptor is gone: the command goes on without a network" in err
        # The next jail starts another one.
        assert proxy.jail("curl", "-sS", "https://some.test/after").stdout == "site some.test /after\n"

    def test_engine_redirect_too(self, one: Proxy) -> None:
        script = "curl -sSN https://some.test/forever; echo first $?; curl -sS https://some.test/; echo second $?"
        run = one.start_jail("sh", "-c", script, options=("--engine", "redirect"))
        assert run.stdout is not None
        assert run.stdout.readline() == b"begun\n"
        os.kill(one.interceptor, signal.SIGKILL)
        out, _ = run.communicate(timeout=TIMEOUT)
        words = out.decode().split()
        assert (words[0::2], "0" in words[1::2]) == (["first", "second"], False)

    def test_the_proxy_is_killed(self, one: Proxy) -> None:
        run = one.start_jail(
            "sh", "-c", "curl -sSN https://some.test/forever; echo first $?; curl -sS https://some.test/"
        )
        assert run.stdout is not None
        assert run.stdout.readline() == b"begun\n"
        interceptor = one.interceptor
        run_file = json.loads(next((one.folder / "state").glob("run-*.json")).read_text())
        os.kill(run_file["pid"], signal.SIGKILL)
        out, err = run.communicate(timeout=TIMEOUT)
        assert out.startswith(b"first ")
        assert not out.startswith(b"first 0")
        assert run.returncode != 0
        assert b"goes on without a network" in err
        end = time.monotonic() + TIMEOUT
        while Path("/proc", str(interceptor)).exists() and time.monotonic() < end:
            select.select([], [], [], 0.02)
        assert not Path("/proc", str(interceptor)).exists()
        one.start()


class Terminal:
    """A person at a terminal, in front of a jail with a shell."""

    def __init__(self, proxy: Proxy, *words: str, shell: bool = False) -> None:
        """`shell`: it is typed into a shell that runs there."""
        run = [str(proxy.world.python), "-P", "-m", "ccproxy", "run", "--inspect", "-q", "--", *words]
        first = ["bash", "--norc", "--noprofile", "-i"] if shell else run
        command = proxy.world.command(proxy.who, *first)
        environment = {**proxy.world.environment(proxy.who), "PS1": "J> ", "CCPROXY_CONFIG_DIR": str(proxy.folder)}
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(command[0], command, environment)
        self.seen = ""
        if shell:
            self.until("J> ")
            self.type(f"{shlex.join(run)}\r")

    def until(self, pattern: str) -> str:
        """Reads until the pattern comes; returns what it matched."""
        end = time.monotonic() + TIMEOUT
        while not (found := re.search(pattern, self.seen)):
            assert time.monotonic() < end, f"{pattern!r} does not come after {self.seen!r}"
            if select.select([self.fd], [], [], 0.2)[0]:
                self.seen += os.read(self.fd, 4096).decode(errors="replace")
        self.seen = self.seen[found.end() :]
        return found[0]

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def size(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def end(self) -> int:
        with contextlib.suppress(OSError):
            while data := os.read(self.fd, 4096):
                self.seen += data.decode(errors="replace")
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class TestTerminal:
    def test_a_shell_behaves_as_outside(self, proxy: Proxy) -> None:
        person = Terminal(proxy, "bash", "--norc", "--noprofile", "-i")
        start = person.until("J> ")
        assert "job control" not in start
        person.type("test -t 0 && echo IS$((1+1))TTY\r")
        person.until("IS2TTY")
        person.type("echo m=$-.\r")
        person.until(r"m=\w*m\w*\.")
        person.size(33, 99)
        person.type("stty size\r")
        person.until("33 99")
        # The word comes from the process that is to be interrupted, so it is in the foreground already.
        person.type("sh -c 'echo begin$((1)); exec sleep 60'\r")
        person.until("begin1")
        person.type("\x03")
        person.until("J> ")
        person.type("echo rc=$?.\r")
        person.until(r"rc=130\.")
        person.type("sh -c 'echo begin$((2)); exec sleep 61'\r")
        person.until("begin2")
        person.type("\x1a")
        person.until("Stopped")
        person.type("bg; kill %1; wait; echo K$((2))\r")
        person.until("K2")
        person.type("exit 7\r")
        assert person.end() == 7, person.seen

    def test_jobs_come_back_to_the_foreground(self, proxy: Proxy) -> None:
        person = Terminal(proxy, "bash", "--norc", "--noprofile", "-i")
        person.until("J> ")
        person.type(f"{shlex.join([str(proxy.world.python), '-c', JOB])}\r")
        person.until("begin1")
        person.type("\x1a")
        person.until("Stopped")
        person.type("fg\r")
        person.until("back1")
        person.type("hello\r")
        person.until("got hello")
        person.type("echo rc=$?.\r")
        person.until(r"rc=5\.")
        person.type("exit\r")
        assert person.end() == 0

    def test_the_whole_jail_is_a_job_of_the_shell_outside(self, one: Proxy) -> None:
        person = Terminal(one, str(one.world.python), "-c", JOB, shell=True)
        person.until("begin1")
        person.type("\x1a")
        person.until("Stopped")
        person.type("fg\r")
        person.until("back1")
        person.type("hello\r")
        person.until("got hello")
        person.type("echo rc=$?.\r")
        person.until(r"rc=5\.")
        person.type("exit\r")
        assert person.end() == 0

    def test_a_change_of_size_is_told(self, one: Proxy) -> None:
        script = "trap 'echo W; stty size; exit 4' WINCH; echo up; while :; do sleep 0.05; done"
        person = Terminal(one, "sh", "-c", script)
        person.until("up")
        person.size(31, 97)
        person.until("W")
        person.until("31 97")
        assert person.end() == 4

    def test_ctrl_c_is_the_command_s(self, one: Proxy) -> None:
        person = Terminal(one, "sh", "-c", "trap 'echo caught; exit 3' INT; echo up; while :; do sleep 0.05; done")
        person.until("up")
        person.type("\x03")
        person.until("caught")
        assert person.end() == 3


class TestChoice:
    def test_the_engine_without_a_device(self, tmp_path: Path) -> None:
        assert launch.choose_engine("auto", str(tmp_path / "missing")) == "redirect"
        assert launch.choose_engine("tun", str(tmp_path / "missing")) == "tun"
        (tmp_path / "tun").touch()
        assert launch.choose_engine("auto", str(tmp_path / "tun")) == "tun"
