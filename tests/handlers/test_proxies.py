from __future__ import annotations

import pytest

from otel_stdlib.handlers.proxies import proxy_for

PROXY = "http://proxy:3128"


@pytest.mark.parametrize(
    ("url", "environ", "expected"),
    [
        ("http://a:4318/v1/logs", {}, None),
        ("http://a:4318", {"http_proxy": PROXY}, PROXY),
        ("http://a:4318", {"HTTP_PROXY": "proxy:3128"}, PROXY),
        ("https://a:4318", {"HTTP_PROXY": PROXY}, None),
        ("https://a", {"HTTPS_PROXY": PROXY, "ALL_PROXY": "http://other"}, PROXY),
        ("https://a", {"ALL_PROXY": PROXY}, PROXY),
        ("http://a", {"all_proxy": PROXY}, PROXY),
        ("http://a", {"http_proxy": "", "HTTP_PROXY": PROXY}, None),
        ("http://a", {"HTTP_PROXY": PROXY, "REQUEST_METHOD": "GET"}, None),
        ("https://a", {"https_proxy": "http://me:pw@proxy:3128"}, "http://me:pw@proxy:3128"),
    ],
)
def test_which_proxy(url: str, environ: dict[str, str], expected: str | None) -> None:
    """The scheme's own before the one for all, lower case before upper case, none in a CGI program."""
    assert expected == proxy_for(url, environ)


@pytest.mark.parametrize(
    ("host", "exempt"),
    [
        ("collector", "*"),
        ("collector", "x, collector"),
        ("collector.svc", ".svc"),
        ("collector.svc", "svc"),
        ("collector.svc", "*.svc"),
        ("COLLECTOR.svc", "Svc."),
        ("collector:4318", "collector:4318"),
        ("10.1.2.3", "10.0.0.0/8"),
        ("10.1.2.3", "192.168.0.0/16,10.1.2.0/24"),
        ("10.1.2.3:4318", "10.1.2.3"),
        ("[fd00::7]", "fd00::7"),
        ("[fd00::7]:4318", "[fd00::7]:4318"),
        ("[fd00::7]", "fd00::/8"),
        ("[fd00:0:0::7]", "FD00::7"),
        ("a", "collector:80, a:80"),
    ],
)
def test_hosts_without_a_proxy(host: str, exempt: str) -> None:
    """Names with their subdomains, addresses in any spelling, networks, with a port where one is given."""
    assert proxy_for(f"http://{host}", {"http_proxy": PROXY, "no_proxy": exempt}) is None


@pytest.mark.parametrize(
    ("host", "exempt"),
    [
        ("collector", ""),
        ("collector", ",,"),
        ("mycollector", "collector"),
        ("collector", "collector:9"),
        ("11.1.2.3", "10.0.0.0/8"),
        ("10.1.2.3", "fd00::/8"),
        ("10.1.2.3", "10.0.0.0/99"),
        ("110.1.2.3", "10.1.2.3"),
        ("collector", "10.0.0.0/8"),
        ("[fd00::8]", "fd00::7"),
    ],
)
def test_hosts_with_a_proxy(host: str, exempt: str) -> None:
    """What is not named, and what cannot be read, is no exception."""
    assert PROXY == proxy_for(f"http://{host}", {"http_proxy": PROXY, "no_proxy": exempt})
