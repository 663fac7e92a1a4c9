"""Puts the web front together."""

from pathlib import Path

from sanic import Sanic
from sanic.config import Config

from shared.settings import MIB, Settings, load_settings
from web.api import compare, description, events, jobs, pages, results, search, service, submit
from web.faults import install_errors
from web.front import App
from web.guards import Guards, install_guards
from web.head import answer_head
from web.lifecycle import install_lifecycle
from web.ui import compare_view, history, home, job_view, login, preferences, system
from web.ui.templating import install_templates

_STATIC = Path(__file__).parent / "static"
_BLUEPRINTS = (
    submit.bp,
    jobs.bp,
    pages.bp,
    results.bp,
    compare.bp,
    events.bp,
    search.bp,
    service.bp,
    description.bp,
    home.bp,
    job_view.bp,
    compare_view.bp,
    history.bp,
    system.bp,
    login.bp,
    preferences.bp,
)
_GRACE_SECONDS = 5.0  # for requests in hand when the server stops
_BODY_BYTES = MIB  # JSON and forms; uploads count for themselves


def build_app(settings: Settings) -> App:
    """The application with these settings. Opens nothing: that waits for the server's start."""
    config = Config(
        {
            "AUTO_EXTEND": False,
            "REQUEST_MAX_SIZE": _BODY_BYTES,
            "GRACEFUL_SHUTDOWN_TIMEOUT": _GRACE_SECONDS,
            "FALLBACK_ERROR_FORMAT": "json",
        },
        env_prefix=None,
    )
    app: App = Sanic("quire", config=config, configure_logging=False)
    guards = Guards(settings)
    app.ctx.guards = guards
    install_lifecycle(app, settings)
    install_guards(app, guards)
    install_errors(app)
    install_templates(app)
    for blueprint in _BLUEPRINTS:
        app.blueprint(blueprint)
    answer_head(app)
    app.static("/static", _STATIC, name="static")
    return app


def create_app() -> App:
    """For `sanic web.app:create_app --factory`: settings from the environment."""
    return build_app(load_settings())
