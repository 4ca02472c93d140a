"""POSTs to addresses that people typed in (alerts, outgoing webhooks), guarded against reaching what they must not.

A URL of a stranger's choice would let them knock at whatever this service can reach (server-side request forgery). So
the name is resolved once, each address is judged, and the connection goes to a judged address: a name that answers
otherwise the second time (DNS rebinding) gains nothing. No redirects, no proxies or .netrc of the environment, a wall
clock over all of it, a bounded answer. Meta is not called from here: `workers.capi.client` has stricter needs.
"""

import contextlib
import ipaddress
import queue
import re
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3.exceptions

from shared.transport import Exchange, ExchangeAdapter

#: Wall clock over resolving, connecting, sending and the answer.
SECONDS = 10.0
#: Nobody needs to say more than this to say that it came.
MAX_ANSWER_BYTES = 16 * 1024
#: More addresses of one name are not tried.
MAX_ADDRESSES = 3

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Where clouds hand out the machine's own credentials, over and above 169.254.0.0/16 and fe80::/10.
#: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html (fd00:ec2::254),
#: https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16,
#: https://www.alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata (100.100.100.200),
#: https://docs.oracle.com/iaas/Content/Compute/Tasks/gettingmetadata.htm (192.0.0.192 in older images)
_METADATA = frozenset(
    ipaddress.ip_address(text) for text in ("fd00:ec2::254", "168.63.129.16", "100.100.100.200", "192.0.0.192")
)
#: An IPv6 address that a translator on the way turns into the IPv4 address of its last four bytes (RFC 6052, RFC 8215).
_NAT64 = tuple(ipaddress.IPv6Network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/96"))


class RefusedURLError(ValueError):
    """The URL is not one we post to. `code` is in `shared.domain.reasons.OUTBOUND`; the text holds no part of it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came of a POST: the answer's status and the first bytes of its body, or a reason code why there is none.

    `problem` is None for an answer 2xx, whatever it says. For any other answer it is `answered_<status>`.
    """

    status: int | None = None
    body: bytes = b""
    problem: str | None = None


def check_url(url: str, *, allow_private: bool = False) -> None:
    """Judges the form of a URL, for when it is typed in; its name is resolved with each POST only.

    https, unless `allow_private`: within a network of one's own http is common. Raises RefusedURLError.
    """
    _host_and_port(url, allow_private=allow_private)


def post(
    url: str,
    body: bytes,
    *,
    headers: Mapping[str, str],
    allow_private: bool = False,
    seconds: float = SECONDS,
) -> Reply:
    """Posts once and returns what came of it; nothing raises for what the network or the other side does.

    `allow_private` lets it go to private and loopback addresses, over http too. Link-local, multicast and metadata
    addresses are out of reach whatever it says.
    """
    ends = time.monotonic() + seconds
    try:
        host, port = _host_and_port(url, allow_private=allow_private)
        is_plain = urlsplit(url).scheme.lower() == "http"
        addresses = _permitted(_resolve(host, port, seconds / 2), allow_private=allow_private, is_plain=is_plain)
    except RefusedURLError as refused:
        return Reply(problem=refused.code)
    reply = Reply(problem="connection_failed")
    for address in addresses[:MAX_ADDRESSES]:
        exchange = Exchange(max(ends - time.monotonic(), 0.01))
        with exchange.running():
            reply = _post_to(address, url, body, headers, exchange)
        if exchange.has_begun_to_send or reply.status is not None or time.monotonic() > ends:
            break
    return reply


def is_permitted(address: Address, *, allow_private: bool) -> bool:
    """Whether we connect to this address. What stands for an IPv4 address within an IPv6 one is judged as that one."""
    plain = _embedded(address)
    if plain in _METADATA or plain.is_link_local or plain.is_multicast or plain.is_unspecified:
        return False
    if plain.is_global and not plain.is_reserved:
        return True
    return allow_private and (plain.is_loopback or not plain.is_reserved)


def _host_and_port(url: str, *, allow_private: bool) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise RefusedURLError("url_malformed") from None
    if not host or not re.fullmatch(r"[\x21-\x7e]{1,2000}", url) or "@" in parts.netloc or "\\" in url:
        raise RefusedURLError("url_malformed")
    if parts.scheme == "https":
        return host, port or 443
    if parts.scheme != "http":
        raise RefusedURLError("url_malformed")
    if not allow_private:
        raise RefusedURLError("url_not_https")
    return host, port or 80


def _resolve(host: str, port: int, seconds: float) -> list[Address]:
    """Every address of a name, in the resolver's order. In a thread of its own: nothing else can end a look-up."""
    found: queue.SimpleQueue[list[Any]] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            found.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError):
            found.put([])

    threading.Thread(target=look_up, name="resolve", daemon=True).start()
    try:
        rows = found.get(timeout=seconds)
    except queue.Empty:
        raise RefusedURLError("timed_out") from None
    if not rows:
        raise RefusedURLError("name_unknown")
    # A scope (fe80::1%eth0) is cut off: such an address is refused anyway.
    return list(dict.fromkeys(ipaddress.ip_address(str(row[4][0]).partition("%")[0]) for row in rows))


def _permitted(addresses: list[Address], *, allow_private: bool, is_plain: bool) -> list[Address]:
    permitted = [one for one in addresses if is_permitted(one, allow_private=allow_private)]
    if not permitted:
        raise RefusedURLError("address_refused")
    if is_plain:
        # Without TLS it stays in a network of one's own.
        permitted = [one for one in permitted if not _embedded(one).is_global]
        if not permitted:
            raise RefusedURLError("url_not_https")
    return permitted


def _embedded(address: Address) -> Address:
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped or address.sixtofour:
            return address.ipv4_mapped or address.sixtofour or address
        if any(address in network for network in _NAT64):
            return ipaddress.IPv4Address(address.packed[-4:])
    return address


class _Pinned(ExchangeAdapter):
    """Connects to one address, whatever the URL's name says by now; TLS still asks for the name's certificate."""

    def __init__(self, address: Address) -> None:
        super().__init__()
        self._address = str(address)

    def build_connection_pool_key_attributes(self, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        host, pool = super().build_connection_pool_key_attributes(*args, **kwargs)
        named = {"server_hostname": host["host"], "assert_hostname": host["host"]} if host["scheme"] == "https" else {}
        return {**host, "host": self._address}, {**pool, **named}


def _post_to(address: Address, url: str, body: bytes, headers: Mapping[str, str], exchange: Exchange) -> Reply:
    with requests.Session() as session:
        session.trust_env = False
        session.mount("https://", _Pinned(address))
        session.mount("http://", _Pinned(address))
        ours = {"Host": urlsplit(url).netloc, "User-Agent": "ctwa-attribution", "Accept-Encoding": "identity"}
        try:
            with session.post(
                url, data=body, headers={**headers, **ours}, timeout=SECONDS / 2, allow_redirects=False, stream=True
            ) as response:
                if exchange.is_expired:
                    # Cut off within the head, which looks like its end.
                    return Reply(problem="timed_out")
                status = response.status_code
                answered = b""
                with contextlib.suppress(urllib3.exceptions.HTTPError, OSError):
                    answered = response.raw.read(MAX_ANSWER_BYTES, decode_content=False)
        except requests.exceptions.SSLError:
            return Reply(problem="timed_out" if exchange.is_expired else "tls_failed")
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            return Reply(problem=_problem(error, exchange))
    return Reply(status=status, body=answered, problem=None if 200 <= status < 300 else f"answered_{status}")


def _problem(error: Exception, exchange: Exchange) -> str:
    if exchange.is_expired or isinstance(error, requests.Timeout | TimeoutError):
        return "timed_out"
    return "connection_failed" if exchange.surely_not_sent else "no_reply"
