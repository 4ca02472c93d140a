"""What a request says before its body: who asks for what, in which form. Pure."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

PREFIX = "/webhooks/"
API_PREFIX = "/v1/"


@dataclass(frozen=True, slots=True, repr=False)
class Head:
    """One request without its body. `path` is what follows the channel's key, `headers` have lower-case names.

    `length` is the Content-Length, None when there is none and -1 when it isn't a number. `url` is the public URL as
    the provider saw it, `address` the sender's.
    """

    method: str
    key: str
    path: str
    query: str
    headers: dict[str, str]
    length: int | None
    url: str
    address: str

    @property
    def has_transfer_encoding(self) -> bool:
        return "transfer-encoding" in self.headers

    @property
    def header_bytes(self) -> int:
        return sum(len(name) + len(value) for name, value in self.headers.items())


def read_head(environ: Mapping[str, Any], *, public_url: str, trusted_proxies: int) -> Head | None:
    """The head of a webhook request in a WSGI environment (PEP 3333); None if the path isn't a webhook's."""
    full_path = _text(environ.get("PATH_INFO", ""))
    if not full_path.startswith(PREFIX):
        return None
    key, _, path = full_path[len(PREFIX) :].partition("/")
    return _head(environ, key, path, public_url, trusted_proxies)


def read_api_head(environ: Mapping[str, Any], *, public_url: str, trusted_proxies: int) -> Head | None:
    """The head of a request to the API, without a key, its path below `/v1/`; None if the path isn't the API's."""
    full_path = _text(environ.get("PATH_INFO", ""))
    if not full_path.startswith(API_PREFIX):
        return None
    return _head(environ, "", full_path[len(API_PREFIX) :], public_url, trusted_proxies)


def _head(environ: Mapping[str, Any], key: str, path: str, public_url: str, trusted_proxies: int) -> Head:
    headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
    if environ.get("CONTENT_TYPE"):
        headers["content-type"] = environ["CONTENT_TYPE"]
    query = environ.get("QUERY_STRING", "")
    return Head(
        method=environ["REQUEST_METHOD"],
        key=key,
        path=path,
        query=query,
        headers=headers,
        length=_length(environ.get("CONTENT_LENGTH") or None),
        url=_url(environ, headers, query, public_url, trusted_proxies),
        address=_address(environ.get("REMOTE_ADDR", ""), headers, trusted_proxies),
    )


def network_of(address: str) -> str:
    """The network a sender's address belongs to (/24 or /48): enough to find an attacker, not a person."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    return str(ipaddress.ip_network((ip, 24 if ip.version == 4 else 48), strict=False))


def _text(path: str) -> str:
    return path.encode("latin-1").decode("utf-8", "replace")


def _length(value: str | None) -> int | None:
    if value is None:
        return None
    return int(value) if value.isascii() and value.isdigit() and len(value) < 20 else -1


def _address(remote: str, headers: Mapping[str, str], trusted_proxies: int) -> str:
    """Each trusted proxy appends who called it, so the n-th entry from the right was written by the outermost one."""
    hops = [hop.strip() for hop in headers.get("x-forwarded-for", "").split(",")]
    if trusted_proxies and len(hops) >= trusted_proxies and hops[-trusted_proxies]:
        return hops[-trusted_proxies]
    return remote


def _url(
    environ: Mapping[str, Any], headers: Mapping[str, str], query: str, public_url: str, trusted_proxies: int
) -> str:
    scheme, host = environ.get("wsgi.url_scheme", "http"), headers.get("host", "")
    if trusted_proxies:
        scheme = headers.get("x-forwarded-proto", scheme).split(",")[-1].strip()
        host = headers.get("x-forwarded-host", host).split(",")[-1].strip()
    path = environ.get("RAW_URI", "").partition("?")[0] or quote(environ.get("PATH_INFO", "").encode("latin-1"))
    return f"{public_url or f'{scheme}://{host}'}{path}{'?' if query else ''}{query}"
