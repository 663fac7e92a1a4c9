"""Names of engines that a person gave, checked before a process is started for them."""

from engines.registry import known_engines
from shared.errors import Misconfigured
from shared.settings import Settings, parse_engine


def require_known_engines(settings: Settings, given_in: str) -> None:
    """Misconfigured names the engine that there is none of: no process of it could ever start.

    `given_in` is the setting or flag that the person used.
    """
    known = known_engines(settings)
    for text in settings.engines:
        name = parse_engine(text).name
        if name not in known:
            raise Misconfigured(
                f"{given_in} names {name[:40]!r}, and there is no such engine. "
                f"Known: {', '.join(known)}.",
                param="engines",
            )
