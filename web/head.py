"""HEAD wherever GET is: monitors, proxies and `curl -I` ask so."""

from web.front import App

_ENDLESS = "/events"  # an event stream has no length and no end to ask for


def answer_head(app: App) -> None:
    """Let each GET route answer HEAD with the same headers; Sanic leaves the body out."""
    for route in list(app.router.routes):
        if "GET" in route.methods and not route.path.endswith(_ENDLESS):
            app.router.add(
                "/" + route.path,
                ["HEAD"],
                route.handler,
                strict_slashes=route.strict,
                ignore_body=True,
                name=f"{route.name}_head",
            )
