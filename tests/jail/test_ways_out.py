"""Ways out of the interceptor that are not the usual ones: a proxy above for everything, and HTTP/3."""

from __future__ import annotations

import json
import shutil

import pytest

from jail.conftest import PEOPLE
from jail.test_launch import ASK_DNS
from jail.world import ADDRESS, OTHER, SIX, Proxy, World

HTTP3 = "http3.py"
#: The port of the listener for clients that use an HTTP proxy.
DOOR = 4119
#: Asks a port that echoes lines, by an address or a name.
ECHO = "exec 3<>/dev/tcp/{}/{} && echo {} >&3 && head -1 <&3; exec 3>&-; "


@pytest.fixture(scope="module")
def behind(world: World, proxies: dict[str, Proxy]) -> Proxy:
    """A proxy behind another one."""
    settings = f'upstream_proxy: "http://me:word@{OTHER}:3128", quic: intercept, http_proxy_port: {DOOR}'
    return world.proxy(PEOPLE[-1], port=4110, interceptor=settings, folder="conf-behind")


@pytest.fixture(scope="module")
def looking(world: World, proxies: dict[str, Proxy]) -> Proxy:
    """A proxy that looks into HTTP/3."""
    return world.proxy(PEOPLE[-1], port=4111, interceptor="quic: intercept", folder="conf-looking")


@pytest.fixture(scope="module")
def client(world: World) -> str:
    """The HTTP/3 client, where everybody may read it."""
    return shutil.copy(f"{__file__.rpartition('/')[0]}/{HTTP3}", world.directory / HTTP3)


class TestUpstreamProxy:
    def test_what_is_not_http_goes_through_it(self, behind: Proxy) -> None:
        script = "".join(
            [
                ECHO.format(ADDRESS, 7, "one"),
                # On a port where the server speaks first, over IPv6, and when a name has led there.
                ECHO.format(OTHER, 25, "two"),
                ECHO.format(SIX, 7, "three"),
                f"{behind.world.python} -c '{ASK_DNS}' 10.0.0.53; ",
                ECHO.format(ADDRESS, 7, "four"),
                "curl -sS https://some.test/five; ",
            ]
        )
        done = behind.jail("bash", "-c", script)
        assert done.stdout.splitlines() == [
            "echo one",
            "220 hello",
            "echo three",
            ADDRESS,
            "echo four",
            "site some.test /five",
        ], done.stderr
        asked = json.loads(behind.world.run(behind.who, "curl", "-sS", f"http://{ADDRESS}/connects").stdout)
        # An address is asked for by the one name that has led to it.
        targets = [f"{ADDRESS}:7", f"{OTHER}:25", f"[{SIX}]:7", "some.test:7", "some.test:443"]
        assert [target for target, _ in asked] == targets
        assert {credential for _, credential in asked} == {"basic bwu6d29yza=="}
        kinds = [(flow["type"], flow["ccproxy"]["outcome"]) for flow in behind.flows()[-5:]]
        assert sorted(kinds) == [("http", "complete"), *[("tcp", "complete")] * 4]

    def test_its_no_is_an_error_that_is_recorded(self, behind: Proxy) -> None:
        done = behind.jail("bash", "-c", ECHO.format(ADDRESS, 9, "x") + "echo over")
        assert done.stdout == "over\n"
        flow = behind.flows()[-1]
        assert (flow["type"], flow["ccproxy"]["outcome"]) == ("tcp", "upstream_error")
        assert flow["error"]["msg"].endswith(
            f"port 9: the proxy {OTHER}:3128 (interceptor.upstream_proxy) refused it: 403 Forbidden"
        )
        assert "word" not in json.dumps(flow)

    def test_policies_hold_all_the_same(self, behind: Proxy) -> None:
        before = behind.world.run(behind.who, "curl", "-sS", f"http://{ADDRESS}/connects").stdout
        done = behind.jail("bash", "-c", ECHO.format(ADDRESS, 7, "x") + "echo over", options=("-q", "--deny", ADDRESS))
        assert done.stdout == "over\n"
        assert f"{ADDRESS} is denied (--deny)" in behind.flows()[-1]["error"]["msg"]
        assert behind.world.run(behind.who, "curl", "-sS", f"http://{ADDRESS}/connects").stdout == before

    def test_http3_goes_through_it_as_http1(self, behind: Proxy, client: str) -> None:
        assert behind.jail(behind.world.python, client, "some.test", "/h").stdout == "200 site some.test /h\n"

    def test_a_port_of_this_machine_is_reached_without_it(self, behind: Proxy) -> None:
        assert behind.jail("bash", "-c", ECHO.format("host.ccproxy.internal", 9999, "x")).stdout == "echo x\n"

    def test_clients_of_the_http_proxy_have_no_way_around_it(self, behind: Proxy) -> None:
        behind.jail("true")  # then the interceptor runs
        script = f"exec 3<>/dev/tcp/127.0.0.1/{DOOR} && printf 'CONNECT {ADDRESS}:7 HTTP/1.1\\r\\n\\r\\n' >&3; "
        script += "read -r line <&3; read -r line <&3; echo x >&3; head -1 <&3; "
        script += f"curl -sS -x http://127.0.0.1:{DOOR} http://some.test/http"
        assert behind.world.run(behind.who, "bash", "-c", script).stdout == "site some.test /http\n"
        tcp = next(flow for flow in reversed(behind.flows()) if flow["type"] == "tcp")
        assert tcp["error"]["msg"].endswith(
            "of a client of the HTTP proxy only HTTP goes through interceptor.upstream_proxy"
        )


class TestHttp3:
    def test_looked_into(self, looking: Proxy, client: str) -> None:
        done = looking.jail(looking.world.python, client, "some.test", "/quic")
        assert done.stdout == "200 http3 site some.test /quic\n", done.stderr
        flow = looking.flows()[-1]
        assert (flow["request"]["http_version"], flow["request"]["path"]) == ("HTTP/3", "/quic")
        assert flow["response"]["status_code"] == 200
        assert flow["ccproxy"]["process"]

    def test_to_a_provider_it_comes_to_the_gateway(self, looking: Proxy, client: str) -> None:
        done = looking.jail(looking.world.python, client, "api.anthropic.com", "/v1/models")
        assert done.stdout == "200 site api.anthropic.com /v1/models\n", done.stderr
        flow = looking.flows()[-1]
        assert (flow["ccproxy"]["reason"], flow["ccproxy"]["outcome"]) == ("intercepted", "complete")

    def test_refused_a_client_falls_back_at_once(self, one: Proxy, client: str) -> None:
        ask = f"{one.world.python} {client} some.test /quic && curl -sS https://some.test/instead"
        assert one.jail("sh", "-c", ask).stdout == "refused\nsite some.test /instead\n"
