"""Which proxy the environment's variables give for a URL. Pure: the environment is passed in.

``HTTP_PROXY``, ``HTTPS_PROXY`` and ``ALL_PROXY`` name proxies, ``NO_PROXY`` the hosts that are reached
without one; lower case wins over upper case, as with curl. ``HTTP_PROXY`` in upper case counts for
nothing in a CGI program, where a client's header sets it (httpoxy).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

__all__ = ["proxy_for"]


def proxy_for(url: str, environ: Mapping[str, str]) -> str | None:
    """The URL of the proxy for ``url``, credentials included; None: it is reached without one.

    ``NO_PROXY`` is a list with commas: ``*``, host names (their subdomains too), addresses,
    bare IPv6 included, networks in CIDR notation, each but networks with a port where it is to count.
    """
    parts = urlsplit(url)
    proxy = _named(f"{parts.scheme}_proxy", environ) or _named("all_proxy", environ)
    if not proxy or _is_exempt(parts, _named("no_proxy", environ)):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _named(name: str, environ: Mapping[str, str]) -> str:
    if name in environ:
        return environ[name].strip()
    if name == "http_proxy" and "REQUEST_METHOD" in environ:
        return ""
    return environ.get(name.upper(), "").strip()


def _is_exempt(parts: SplitResult, exempt: str) -> bool:
    host = (parts.hostname or "").rstrip(".")
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    address = _address(host)
    for entry in (item.strip().lower() for item in exempt.split(",")):
        if entry == "*":
            return True
        if not entry:
            continue
        if address is not None and "/" in entry:
            if _is_inside(address, entry):
                return True
            continue
        name, entry_port = _split(entry)
        if entry_port is not None and entry_port != port:
            continue
        if address is not None:
            if _address(name) == address:
                return True
            continue
        name = name.lstrip("*").strip(".")
        if name and (host == name or host.endswith(f".{name}")):
            return True
    return False


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _is_inside(address: ipaddress.IPv4Address | ipaddress.IPv6Address, network: str) -> bool:
    try:
        return address in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _split(entry: str) -> tuple[str, int | None]:
    """A host and the port behind it; a bare IPv6 address has colons and no port."""
    if _address(entry) is not None:
        return entry, None
    host, colon, port = entry.rpartition(":")
    if not colon or not port.isdecimal():
        return entry.strip("[]"), None
    return host.strip("[]"), int(port)
