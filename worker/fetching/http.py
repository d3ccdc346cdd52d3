"""HTTP for addresses that a stranger wrote: guarded, stoppable, redirects followed by hand."""

from __future__ import annotations

import socket
import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urljoin, urlsplit

from worker.fetching.addresses import is_public, refused
from worker.fetching.faults import not_given
from worker.fetching.progress import Watch
from worker.settings import FetchLimits

if TYPE_CHECKING:
    import requests

_CONNECT_SECONDS = 15
_REDIRECTS = 10
_POLL = 0.2
_CHUNK = 1 << 20
_REDIRECT_STATUSES = (301, 302, 303, 307, 308)


class Dropped(Exception):
    """A request that failed in a way that may pass. `retry_after` is in seconds, where the server asked for it."""

    def __init__(self, why: str, *, retry_after: float | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.retry_after = retry_after


class Client:
    """Requests of one fetch. Use as a context; several threads may share it.

    Unless `allow_private` is set, the addresses that a host resolves to are checked at the moment of
    connecting, and what was checked is what is connected to: a name that resolves differently the second
    time gains nothing. Redirects go the same way. Proxies of the environment are not used, since a proxy
    would resolve names by itself.
    """

    def __init__(self, watch: Watch, limits: FetchLimits, *, allow_private: bool) -> None:
        self.watch = watch
        self.limits = limits
        self._allow_private = allow_private
        self._live: weakref.WeakSet[Any] = weakref.WeakSet()
        self._closed = threading.Event()
        self._session = self._make_session()

    def __enter__(self) -> Client:
        threading.Thread(target=self._end_when_asked, daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._closed.set()
        self._session.close()

    def _end_when_asked(self) -> None:
        """Wakes whoever waits for bytes when the run has to stop: a blocking read does not look at `stop`."""
        while not self._closed.wait(_POLL):
            if self.watch.ended:
                for connection in list(self._live):
                    _shut(connection)

    def _make_session(self) -> requests.Session:
        import requests
        from requests.adapters import HTTPAdapter
        from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
        from urllib3.connection import HTTPConnection, HTTPSConnection

        client = self

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                client._live.add(self)
                return client._connect(self._dns_host, self.port or 80)

        class Encrypted(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                client._live.add(self)
                return client._connect(self._dns_host, self.port or 443)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class EncryptedPool(HTTPSConnectionPool):
            ConnectionCls = Encrypted

        class Adapter(HTTPAdapter):
            def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
                super().init_poolmanager(*args, **kwargs)
                manager: PoolManager = self.poolmanager
                manager.pool_classes_by_scheme = {"http": PlainPool, "https": EncryptedPool}

        session = requests.Session()
        session.trust_env = False  # no proxies, and no passwords from a .netrc
        for scheme in ("http://", "https://"):
            session.mount(scheme, Adapter(pool_maxsize=self.limits.connections))
        return session

    def _connect(self, host: str, port: int) -> socket.socket:
        """A connection to an address of the host that was checked. Raises StepFailed for one that is refused."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            if error.errno == socket.EAI_NONAME:
                hint = "Look at the spelling of the address."
                raise not_given(f"there is no host called {host}", hint) from error
            raise
        except UnicodeError as error:
            raise not_given(f"{host!r} is not the name of a host", "Look at the spelling of the address.") from error
        if not self._allow_private and not all(is_public(str(target[0])) for *_rest, target in found):
            raise refused(host)
        failure: OSError = OSError(f"{host} has no address")
        for family, kind, protocol, _name, target in found:
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(_CONNECT_SECONDS)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.connect(target)
            except OSError as error:
                connection.close()
                failure = error
            else:
                return connection
        raise failure

    @contextmanager
    def get(self, url: str, headers: Mapping[str, str], *, shown: str) -> Iterator[requests.Response]:
        """A response whose body has not been read, after redirects.

        Raises Dropped when there is none for now, StepFailed when there will be none. Only the first host
        gets the `Authorization` header.
        """
        sent = {"Accept-Encoding": "identity", "User-Agent": "dpcompile", **headers}
        for _turn in range(_REDIRECTS + 1):
            response = self._send(url, sent, shown)
            try:
                target = response.headers.get("Location")
                if response.status_code not in _REDIRECT_STATUSES or not target:
                    yield response
                    return
            finally:
                response.close()
            there = urljoin(url, target)
            if urlsplit(there).scheme not in ("http", "https"):
                raise not_given(f"{shown} leads to an address that is not http(s)", "Give the address of the file.")
            if _origin(there) != _origin(url):
                sent.pop("Authorization", None)
            url = there
        raise not_given(f"{shown} leads from one address to the next, without end", "Give the address of the file.")

    def _send(self, url: str, headers: Mapping[str, str], shown: str) -> requests.Response:
        import requests

        timeout = (_CONNECT_SECONDS, self.limits.stall_seconds)
        try:
            return self.watch.run(
                lambda: self._session.get(url, headers=headers, timeout=timeout, stream=True, allow_redirects=False)
            )
        except requests.exceptions.SSLError as error:
            host = urlsplit(url).hostname
            raise not_given(f"{shown}: the certificate of {host} is not valid", "Give another address.") from error
        except (requests.exceptions.Timeout, TimeoutError) as error:
            raise Dropped("the server does not answer") from error
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, UnicodeError) as error:
            raise not_given(f"{shown} is not an address that can be used", "Look at its spelling.") from error
        except (requests.exceptions.RequestException, OSError) as error:
            raise Dropped(_reason(error)) from error

    def chunks(self, response: requests.Response) -> Iterator[bytes]:
        """The body as it comes in. Raises Dropped when it ends too early, Stopped when the run has to stop."""
        from http.client import HTTPException

        from urllib3.exceptions import HTTPError
        from urllib3.exceptions import TimeoutError as SilentError

        raw = response.raw
        while True:
            try:
                chunk = raw.read1(_CHUNK, decode_content=False)
            except SilentError as error:
                self.watch.check()
                raise Dropped(f"nothing came for {self.limits.stall_seconds:.0f} seconds") from error
            except (HTTPError, HTTPException, OSError, ValueError, AttributeError) as error:
                # Whatever a connection that is shut in the middle of reading raises; see _end_when_asked.
                self.watch.check()
                raise Dropped("the connection broke off") from error
            if not chunk:
                self.watch.check()
                return
            yield chunk


def _shut(connection: Any) -> None:
    found = getattr(connection, "sock", None)
    if found is not None:
        try:
            # Not SSLSocket.shutdown, which takes the encryption away from under the thread that reads.
            socket.socket.shutdown(found, socket.SHUT_RDWR)
        except OSError:
            return  # it has ended by itself


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _reason(error: BaseException) -> str:
    """The innermost cause, without addresses: they may hold a signature."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ConnectionRefusedError):
            return "the server refuses the connection"
        if isinstance(seen, socket.gaierror):
            return "the name of the server cannot be looked up"
        seen = seen.__cause__ or seen.__context__
    return "the connection broke off"


def file_name(url: str) -> str:
    """The last part of an address's path, or `download`."""
    return unquote(urlsplit(url).path.rstrip("/").rpartition("/")[2]) or "download"
