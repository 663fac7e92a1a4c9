"""`quire keys`: who may join the bus from other hosts."""

from rich.console import Console
from rich.table import Table

from bus import keys
from bus.sockets import check_bind
from shared.errors import Misconfigured
from shared.settings import Settings


def run_keys(settings: Settings, action: str, name: str, *, role: str, engine: str) -> int:
    """Do one action on the directory of keys. Misconfigured says what is wrong with it."""
    directory = keys.directory_of(settings)
    if action in {"add", "revoke"} and not name:
        raise Misconfigured(f"quire keys {action} needs the NAME of a key.")
    if action == "add":
        path = keys.add(directory, name, role, engine)
        print(f"{path}: bring this one file to the other host, then remove it here. There:")
        program = f"quire engine {engine or 'NAME'}" if role == "engine" else f"the {role} process"
        print(f"  {program} --bus {_shown_address(settings)} --bus-key {path.name}")
        return 0
    if action == "revoke":
        keys.revoke(directory, name)
        print(f"{name} is let in no more; a process that uses it is cut off within a second.")
        print("An event stream that a web key has open ends with the broker's next start.")
        return 0
    if action == "make":
        made = keys.make_missing(directory)
        print(f"made in {directory}: {', '.join(made)}" if made else "nothing was missing")
    _print_list(settings)
    return 0


def require_keys(settings: Settings) -> None:
    """Misconfigured where the processes of `up` would not come onto their bus."""
    for address in (settings.bus, settings.bus_events):
        check_bind(address, keyed=bool(settings.bus_keys))
    if settings.bus_key:
        raise Misconfigured(
            "QUIRE_BUS_KEY is for one process; `up` starts several: use QUIRE_BUS_KEYS.",
            param="bus_key",
        )
    if keys.server_key(settings) is not None:
        for role in keys.ROLES:
            keys.client_key(settings, role)


def count_keys(settings: Settings) -> int:
    """How many keys are let in; 0 without keys. Misconfigured as in `require_keys`."""
    require_keys(settings)
    return len(keys.allowed(keys.directory_of(settings))[0]) if settings.bus_keys else 0


def _print_list(settings: Settings) -> None:
    grants, problems = keys.allowed(keys.directory_of(settings))
    table = Table()
    for column in ("key", "role", "engine", "public"):
        table.add_column(column)
    for grant in grants:
        any_engine = "any" if grant.role == "engine" else ""
        table.add_row(grant.name, grant.role, grant.engine or any_engine, grant.public.decode())
    Console(markup=False, soft_wrap=True).print(table)
    for problem in problems:
        print(problem)


def _shown_address(settings: Settings) -> str:
    return settings.bus.replace("//*", "//HOST").replace("//0.0.0.0", "//HOST")
