"""The doctor on machines that are well, and on such as lack something: made so for it alone, in namespaces."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jail.conftest import PEOPLE
from jail.world import USER_ID, Proxy

STEPS = ["namespaces", "tun device", "ipv6", "lease", "tunnel", "files", "dns", "https", "isolation"]

needs_root = pytest.mark.skipif("root" not in PEOPLE, reason="only root can take a device from somebody")
#: Runs its arguments as the unprivileged user, where /dev/net/tun is what a fresh machine may have: for root alone.
CLOSED_DEVICE = (
    "mount -t tmpfs none /dev/net && mknod -m 600 /dev/net/tun c 10 200 && "
    f'exec setpriv --reuid {USER_ID} --regid {USER_ID} --clear-groups -- "$@"'
)
#: Runs its arguments where there are no user namespaces to be had.
NO_NAMESPACES = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'


def doctor(proxy: Proxy, *words: str, before: tuple[str, ...] = (), who: str = "") -> tuple[int, dict[str, Any]]:
    """The exit code and the report of `namespace doctor --json`, for the proxy's person in somebody's hands."""
    environment = proxy.world.environment(proxy.who)
    command = (str(proxy.world.python), "-P", "-m", "ccproxy", "namespace", "doctor", "--json", *words)
    done = proxy.world.run(who or proxy.who, *before, *command, env=environment)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def failed(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [check for check in report["checks"] if not check["ok"] and not check["skipped"]]


def test_all_is_well(proxy: Proxy) -> None:
    code, report = doctor(proxy)
    assert failed(report) == []
    assert (code, report["ok"], report["engine"]) == (0, True, "tun")
    assert [check["name"] for check in report["checks"]] == STEPS


def test_engine_redirect(proxy: Proxy) -> None:
    code, report = doctor(proxy, "--engine", "redirect")
    assert failed(report) == []
    assert (code, report["engine"], report["checks"][1]["name"]) == (0, "redirect", "listeners")


def test_for_people(one: Proxy) -> None:
    text = one.ccproxy("namespace", "doctor").stdout
    assert text.startswith("engine tun\nok    namespaces ")
    assert "FAIL" not in text


def test_without_a_proxy_the_way_out_is_left_out(one: Proxy) -> None:
    environment = {"CCPROXY_PORT": "4999", "CCPROXY_CONFIG_DIR": str(one.world.people[one.who].home / "empty")}
    done = one.ccproxy("namespace", "doctor", "--json", env=environment)
    report = json.loads(done.stdout)
    assert (done.returncode, report["ok"]) == (0, True)
    skipped = [check["name"] for check in report["checks"] if check["skipped"]]
    assert skipped == ["lease", "tunnel", "dns", "https"]


@needs_root
def test_a_device_that_is_root_s_alone(proxies: dict[str, Proxy]) -> None:
    before = ("unshare", "-m", "sh", "-c", CLOSED_DEVICE, "sh")
    code, report = doctor(proxies["user"], "--engine", "tun", before=before, who="root")
    (bad,) = failed(report)
    assert (code, bad["name"], bad["errno"]) == (1, "tun device", 13)
    assert bad["detail"] == "tun device: Permission denied (EACCES)"
    assert "chmod 0666 /dev/net/tun" in bad["fix"]


@needs_root
def test_engine_redirect_takes_its_place(proxies: dict[str, Proxy]) -> None:
    proxy = proxies["user"]
    before = ("unshare", "-m", "sh", "-c", CLOSED_DEVICE, "sh")
    code, report = doctor(proxy, before=before, who="root")
    assert (code, report["engine"]) == (0, "redirect")
    assert [(check["name"], check["optional"]) for check in failed(report)] == [("tun device", True)]
    command = (str(proxy.world.python), "-P", "-m", "ccproxy", "run", "--inspect", "-q", "--", "curl", "-sS")
    done = proxy.world.run("root", *before, *command, "https://some.test/", env=proxy.world.environment("user"))
    assert done.stdout == "site some.test /\n"


def test_no_namespaces(one: Proxy) -> None:
    before = ("unshare", "-U", "-r", "sh", "-c", NO_NAMESPACES, "sh")
    code, report = doctor(one, before=before)
    (bad,) = failed(report)
    assert (code, bad["name"], bad["errno"]) == (1, "user namespace", 28)
    assert "user.max_user_namespaces" in bad["fix"]
    command = (str(one.world.python), "-P", "-m", "ccproxy", "run", "--inspect", "--", "echo", "ran")
    done = one.world.run(one.who, *before, *command)
    assert (done.returncode, done.stdout) == (125, "")
    assert "user namespace: No space left on device (ENOSPC) (raise the limit" in done.stderr
    assert "`ccproxy run -- echo` needs no jail" in done.stderr
