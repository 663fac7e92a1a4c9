"""Key files of the bus: one for the broker, one for each role or remote engine.

    <keys>/server.key           the broker's own, never leaves its host
    <keys>/NAME.key             a client's own and the broker's public half: all that it needs
    <keys>/allowed/NAME.pub     whom the broker lets in, and as what

TOML, mode 0600 in directories of mode 0700. Keys are Curve25519 in Z85, 40 characters
(https://rfc.zeromq.org/spec/26/, https://rfc.zeromq.org/spec/32/).
"""

import fcntl
import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq

from shared.errors import Misconfigured
from shared.settings import Settings

SERVER = "server"
ROLES = ("supervisor", "split", "collect", "engine", "web")  # each has a key of its own name
ALLOWED = "allowed"
_LOCK = ".lock"
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
_ADVICE = "`quire keys` makes what is missing."
_SECRET_MODE = 0o600
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class KeyPair:
    """The two halves of one key."""

    public: bytes
    secret: bytes


@dataclass(frozen=True, slots=True)
class ClientKey:
    """What a client shows, and the broker's public half that it expects."""

    name: str
    pair: KeyPair
    server: bytes


@dataclass(frozen=True, slots=True)
class Grant:
    """One entry of the allowlist. `engine` binds an engine's key to one engine; "": any."""

    name: str
    role: str
    public: bytes
    engine: str = ""


def server_key(settings: Settings) -> KeyPair | None:
    """The broker's key; None where no directory of keys is set. Misconfigured says what to do."""
    if not settings.bus_keys:
        return None
    data = _read_secret(directory_of(settings) / f"{SERVER}.key")
    return KeyPair(_key(data, "public"), _key(data, "secret"))


def client_key(settings: Settings, role: str) -> ClientKey | None:
    """The key of a process of this role: `bus_key`, else the role's own in `bus_keys`, else None.

    Misconfigured when it is missing, readable by others, or of another role.
    """
    if settings.bus_key:
        path = Path(settings.bus_key).expanduser()
    elif settings.bus_keys:
        path = directory_of(settings) / f"{role}.key"
    else:
        return None
    data = _read_secret(path)
    if data.get("role") != role:
        raise Misconfigured(
            f"{path} is a key for the role {data.get('role')!r}, and this process is {role!r}.",
            param="bus_key",
        )
    pair = KeyPair(_key(data, "public"), _key(data, "secret"))
    return ClientKey(str(data.get("name", "")), pair, _key(data, "server"))


def directory_of(settings: Settings) -> Path:
    """The directory of keys. Misconfigured where none is set."""
    if not settings.bus_keys:
        raise Misconfigured(
            "No directory of keys is set. Name one with --bus-keys (or QUIRE_BUS_KEYS).",
            param="bus_keys",
        )
    return Path(settings.bus_keys).expanduser()


def make_missing(directory: Path) -> list[str]:
    """Make the broker's key and one for each role, where they are missing; the names made.

    A role's file whose entry is missing lets nobody in: both are made anew.
    """
    made = []
    for folder in (directory, directory / ALLOWED):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(directory):
        if not (directory / f"{SERVER}.key").exists():
            public, secret = zmq.curve_keypair()
            values = {"role": SERVER, "public": public.decode(), "secret": secret.decode()}
            _write(directory / f"{SERVER}.key", values)
            made.append(SERVER)
        for role in ROLES:
            path = directory / f"{role}.key"
            if path.exists() and not _entry(directory, role).exists():
                path.unlink()
            if not path.exists():
                _add(directory, role, role)
                made.append(role)
    return made


def add(directory: Path, name: str, role: str, engine: str = "") -> Path:
    """Make a client's key and let it in; the file to hand over. Misconfigured: bad or used name."""
    if not _NAME.fullmatch(name) or name == SERVER:
        raise Misconfigured(
            f"{name!r} cannot name a key: lower-case letters, digits, dots and dashes, "
            f"and not {SERVER!r}."
        )
    if role not in ROLES:
        raise Misconfigured(f"{role!r} is no role. Roles: {', '.join(ROLES)}.")
    with _alone(directory):
        return _add(directory, name, role, engine)


def _add(directory: Path, name: str, role: str, engine: str = "") -> Path:
    path, entry = directory / f"{name}.key", _entry(directory, name)
    for taken in (path, entry):
        if taken.exists():
            raise Misconfigured(f"{taken} exists. Revoke {name} first, or choose another name.")
    server = _key(_read_secret(directory / f"{SERVER}.key"), "public")
    public, secret = zmq.curve_keypair()
    shared = {"name": name, "role": role, "engine": engine, "public": public.decode()}
    entry.parent.mkdir(mode=0o700, exist_ok=True)
    _write(path, {**shared, "secret": secret.decode(), "server": server.decode()})
    _write(entry, shared)  # last: nobody is let in whose own file could not be written
    return path


def revoke(directory: Path, name: str) -> None:
    """Let this key in no more, and remove its file where it is here. Misconfigured: no such."""
    entry, path = _entry(directory, name), directory / f"{name}.key"
    is_name = _NAME.fullmatch(name) and name != SERVER
    with _alone(directory):
        if not is_name or not (entry.exists() or path.exists()):
            known = ", ".join(grant.name for grant in allowed(directory)[0]) or "none"
            raise Misconfigured(f"There is no key {name!r} in {directory}. Keys: {known}.")
        entry.unlink(missing_ok=True)  # missing where `add` was ended between its two files
        path.unlink(missing_ok=True)


def allowed(directory: Path) -> tuple[list[Grant], list[str]]:
    """The allowlist by name, and a sentence for each entry that cannot be read."""
    grants, problems = [], []
    for path in sorted((directory / ALLOWED).glob("*.pub")):
        try:
            grants.append(_grant(path))
        except (OSError, ValueError, Misconfigured) as error:
            problems.append(f"{path} is no key and lets nobody in: {error}")
    return grants, problems


def changed_at(directory: Path) -> int:
    """When an entry was last added or taken away, in nanoseconds of Unix time; 0: there is none."""
    try:
        return (directory / ALLOWED).stat().st_mtime_ns
    except OSError:
        return 0


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """One process at a time changes the keys: half of a pair must be one that was cut short."""
    try:
        descriptor = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT, _SECRET_MODE)
    except OSError as error:
        raise Misconfigured(f"{directory} cannot be used: {error.strerror}. {_ADVICE}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _grant(path: Path) -> Grant:
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    role = str(data.get("role"))
    if role not in ROLES:
        raise ValueError(f"{role!r} is no role")
    return Grant(path.stem, role, _key(data, "public"), str(data.get("engine", "")))


def _entry(directory: Path, name: str) -> Path:
    return directory / ALLOWED / f"{name}.pub"


def _key(data: Mapping[str, Any], half: str) -> bytes:
    text = data.get(half)
    if not isinstance(text, str) or len(text) != 40:
        raise Misconfigured(f"A key file has no {half} key of 40 characters.", param="bus_keys")
    return text.encode("ascii", "replace")


def _read_secret(path: Path) -> dict[str, Any]:
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise Misconfigured(
            f"The key file {path} cannot be read: {error.strerror}. {_ADVICE}", param="bus_keys"
        ) from error
    if mode & _OTHERS:
        raise Misconfigured(
            f"The key file {path} is open to others; close it with: chmod 600 {path}",
            param="bus_keys",
        )
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(f"{path} is no key file: {error}.", param="bus_keys") from error


def _write(path: Path, values: Mapping[str, str]) -> None:
    """Write a new file whole or not at all."""
    text = "".join(f'{name} = "{value}"\n' for name, value in values.items())
    part = path.with_name(f".{path.name}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _SECRET_MODE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        part.replace(path)
    except OSError as error:
        raise Misconfigured(f"{path} cannot be written: {error.strerror}.") from error
