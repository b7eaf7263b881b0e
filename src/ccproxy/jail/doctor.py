"""Whether a jail can be made here: every real step, in a child that goes away again, up to the first that fails.

With a running proxy the way out is tried as well: a lease, the tunnel, a name and an HTTPS request that the interceptor
answers itself, so no other network is needed. Nothing is changed on the machine.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from ccproxy.jail import advice, launch, network, trust
from ccproxy.jail.launch import Helper, Jail, SetupError, StepError
from ccproxy.jail.namespace import Engine, Plan
from ccproxy.jail.protocol import LeaseRequest

_PROBE_SECONDS = 10.0
_RUN = "doctor"


@dataclass(slots=True)
class Check:
    """One step. `detail` says what was seen, `fix` what to do where it failed; a step that was not tried is `skipped`,
    one that may fail `optional`."""

    name: str
    ok: bool = False
    skipped: bool = False
    optional: bool = False
    errno: int = 0
    detail: str = ""
    fix: str = ""


@dataclass(slots=True)
class Report:
    """What was found. `ok` means that a jail can be made here."""

    engine: Engine
    checks: list[Check] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return all(check.ok or check.skipped or check.optional for check in self.checks)

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return {"ok": self.ok, "engine": self.engine, "checks": [asdict(check) for check in self.checks]}

    def passed(self, name: str, detail: str = "", *, optional: bool = False) -> None:
        self.checks.append(Check(name, ok=True, detail=detail, optional=optional))

    def failed(self, error: SetupError, name: str = "", *, optional: bool = False) -> None:
        step = error.step if isinstance(error, StepError) else name
        number = error.number if isinstance(error, StepError) else 0
        self.checks.append(Check(step, errno=number, detail=error.message, fix=error.hint, optional=optional))

    def skip(self, name: str, why: str) -> None:
        self.checks.append(Check(name, skipped=True, detail=why))


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined.

    Attributes:
        preference: `auto`, `tun` or `redirect`.
        control: the control socket of a running proxy, or None if none runs.
        own_bundle, fallback: see `trust.plan`.
    """

    preference: str
    control: Path | None
    environment: Mapping[str, str]
    own_bundle: Path
    fallback: bytes
    redirect_ports: tuple[int, ...] = (80, 443)
    device: str = "/dev/net/tun"


def examine(patient: Patient) -> Report:
    """Takes every step. Never raises for what it finds."""
    engine = launch.choose_engine(patient.preference, patient.device)
    report = Report(engine)
    if patient.preference == "auto" and engine == "redirect":
        report.checks.append(_no_device(patient.device))
    try:
        _steps(patient, engine, report)
    except SetupError as error:
        report.failed(error, "way out")
    return report


def _no_device(device: str) -> Check:
    try:
        os.close(os.open(device, os.O_RDWR))
        number = 0
    except OSError as error:
        number = error.errno or 0
    text = os.strerror(number) if number else ""
    detail = f"{advice.describe('tun device', number, text)}; engine redirect is used instead"
    return Check("tun device", optional=True, errno=number, detail=detail, fix=advice.fix("tun device", number))


class _Parts:
    """What is to be ended."""

    def __init__(self) -> None:
        self.closers: list[Callable[[], None]] = []

    def close(self) -> None:
        for closer in reversed(self.closers):
            closer()


def _steps(patient: Patient, engine: Engine, report: Report) -> None:
    parts = _Parts()
    reader, writer = os.pipe()
    try:
        with os.fdopen(reader, "rb") as results:
            try:
                _make(patient, engine, report, parts, writer)
            finally:
                os.close(writer)
            found: dict[str, Any] = json.loads(results.read() or b"{}")
        _judge(report, found, engine, with_proxy=patient.control is not None)
    finally:
        parts.close()


def _make(patient: Patient, engine: Engine, report: Report, parts: _Parts, writer: int) -> None:
    """Makes a jail around the probe, and waits for its end."""
    lease = helper = None
    environment = dict(patient.environment)
    files: dict[str, bytes] = {}
    private = X25519PrivateKey.generate()
    if patient.control is not None:
        helper = Helper()
        parts.closers.append(helper.close)
        lease = launch.take_lease(patient.control, _request(engine, private))
        parts.closers.append(lease.close)
        wanted = trust.plan(environment, Path(lease.grant.authority), patient.own_bundle, patient.fallback)
        environment |= wanted.variables
        files |= wanted.files
    files |= launch.resolver()
    bundle = environment.get("SSL_CERT_FILE", "") if lease is not None else ""
    jail = Jail(Plan(engine, files, redirect_ports=patient.redirect_ports), lambda: probe(writer, bundle))
    parts.closers.append(jail.close)
    for descriptor in (descriptors := jail.network()):
        parts.closers.append(partial(os.close, descriptor))
    report.passed("namespaces", f"uid {os.getuid()} stays uid {os.getuid()}")
    report.passed("tun device" if engine == "tun" else "listeners")
    if jail.without_ipv6:
        report.checks.append(Check("ipv6", optional=True, detail=f"no IPv6 in the jail: {jail.without_ipv6}"))
    else:
        report.passed("ipv6", optional=True)
    if lease is not None and helper is not None:
        report.passed("lease", f"{lease.grant.host}:{lease.grant.port}")
        helper.begin(launch.orders(engine, lease.grant, private), descriptors)
        report.passed("tunnel", "handshake done" if engine == "tun" else "relay connected")
    jail.ready()
    report.passed("files", ", ".join(sorted(files)))
    jail.go()
    while jail.listen():
        pass
    jail.wait()


def _request(engine: Engine, private: X25519PrivateKey) -> LeaseRequest:

    public = base64.b64encode(private.public_key().public_bytes_raw()).decode()
    run = f"{_RUN}-{os.getpid()}"
    return LeaseRequest(run=run, command=[_RUN], engine=engine, public_key=public)


def _judge(report: Report, found: Mapping[str, Any], engine: Engine, *, with_proxy: bool) -> None:
    if not with_proxy:
        for name in ("lease", "tunnel", "dns", "https"):
            report.skip(name, "the proxy is down: `ccproxy start --detach`, then again")
    else:
        for name, fix in (
            ("dns", "the interceptor answers no names; its log may say why"),
            ("https", "the jail does not trust the interceptor, or it does not answer; its log may say why"),
        ):
            problem = found.get(name, "the probe did not come so far")
            report.checks.append(Check(name, ok=not problem, detail=problem, fix=fix if problem else ""))
    wanted = ["lo", network.TUN_NAME] if engine == "tun" else ["lo"]
    interfaces, capabilities = found.get("interfaces"), found.get("capabilities")
    isolated = interfaces == wanted and capabilities == 0
    detail = f"interfaces {interfaces}, capabilities {capabilities}"
    report.checks.append(Check("isolation", ok=isolated, detail=detail))


def probe(writer: int, bundle: str) -> int:
    """What the jail looks like from inside, written as JSON to a descriptor.

    Args:
        bundle: whom to trust in the HTTPS request; "" asks for nothing.
    """
    found: dict[str, Any] = {
        "interfaces": sorted(name for _, name in socket.if_nameindex()),
        "capabilities": _capabilities(),
    }
    if bundle:
        try:
            socket.getaddrinfo(network.DOCTOR_NAME, 443)
            found["dns"] = ""
            found["https"] = _ask(bundle)
        except OSError as error:
            found["dns"] = error.strerror or str(error)
    os.write(writer, json.dumps(found).encode())
    return 0


def _capabilities() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return -1


def _ask(bundle: str) -> str:
    """What is wrong with an HTTPS request, or ""."""
    try:
        context = ssl.create_default_context(cafile=bundle)
        connection = http.client.HTTPSConnection(network.DOCTOR_NAME, timeout=_PROBE_SECONDS, context=context)
        connection.request("GET", "/")
        answer = connection.getresponse()
        body = answer.read(100)
    except (OSError, http.client.HTTPException) as error:
        return str(error)
    return "" if body == b"ccproxy\n" else f"an unexpected answer: {answer.status}"
