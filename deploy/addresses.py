"""Whether the addresses in the settings are free, asked before anything is started."""

import errno
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

import psutil

from shared.errors import Misconfigured
from shared.settings import Settings

_LONGEST_IPC_PATH = 107  # bytes: sun_path of a Unix socket on Linux


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A TCP address and the setting that names it."""

    setting: str
    host: str
    port: int

    @property
    def flag(self) -> str:
        """The flag that changes it."""
        return "--" + self.setting.replace("_", "-")


def endpoints_of(settings: Settings, *, web: bool = True) -> list[Endpoint]:
    """Every TCP address that a system listens on. Misconfigured: not an address, or used twice."""
    found = [Endpoint("port", settings.host, settings.port)] if web else []
    for name in ("bus", "bus_events"):
        address = getattr(settings, name)
        parts = urlsplit(address)
        if parts.scheme == "ipc":
            path = address.removeprefix("ipc://")
            if len(path.encode()) > _LONGEST_IPC_PATH:
                raise Misconfigured(f"{name}: the path of {address} is too long.", param=name)
            continue
        found.append(Endpoint(name, *_host_and_port(name, address)))
    by_port: dict[tuple[str, int], Endpoint] = {}
    for endpoint in found:
        other = by_port.setdefault((endpoint.host, endpoint.port), endpoint)
        if other is not endpoint:
            raise Misconfigured(
                f"{other.setting} and {endpoint.setting} both use port {endpoint.port}. "
                f"Change one of them ({other.flag} or {endpoint.flag}).",
                param=endpoint.setting,
            )
    return found


def require_free(endpoints: list[Endpoint]) -> None:
    """Misconfigured when one cannot be listened on; the sentence says why and what to do."""
    for endpoint in endpoints:
        problem = problem_of(endpoint)
        if problem:
            raise Misconfigured(problem, code="address_taken", param=endpoint.setting)


def problem_of(endpoint: Endpoint) -> str:
    """Why nothing can listen there, and what to do; "" when something can."""
    host = "" if endpoint.host == "*" else endpoint.host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    choose = f"choose another with {endpoint.flag} (or QUIRE_{endpoint.setting.upper()})"
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # as servers do: a port whose last connections still time out is free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, endpoint.port))
            probe.listen(1)
    except PermissionError:
        return f"Port {endpoint.port} needs root; {choose}."
    except socket.gaierror:
        return f"{endpoint.host!r} is no address of this machine; change it in the settings."
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            owner = _owner(endpoint.port)
            return (
                f"Port {endpoint.port} on {endpoint.host} is taken{owner}. "
                f"Stop that program, or {choose}."
            )
        return (
            f"Nothing can listen on {endpoint.host}:{endpoint.port} ({error.strerror}); {choose}."
        )
    return ""


def _owner(port: int) -> str:
    """` by NAME (process PID)` where the system lets us know."""
    try:
        for connection in psutil.net_connections(kind="tcp"):
            local = getattr(connection.laddr, "port", None)  # () for a socket that is not bound
            listens = connection.status == psutil.CONN_LISTEN
            if listens and local == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    except (psutil.Error, OSError):
        return ""  # another user's process
    return ""


def _host_and_port(name: str, address: str) -> tuple[str, int]:
    parts = urlsplit(address)
    try:
        host, port = parts.hostname or "*", parts.port
    except ValueError:
        host, port = "", None
    if parts.scheme != "tcp" or not port:
        raise Misconfigured(
            f"{name}: {address!r} is not an address like tcp://127.0.0.1:5570.", param=name
        )
    return host, port
