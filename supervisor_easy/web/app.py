"""Makes the Flask application out of services and engine; it starts nothing."""

import threading

from flask import Flask
from jinja2 import StrictUndefined
from werkzeug.middleware.proxy_fix import ProxyFix

from supervisor_easy import __version__
from supervisor_easy.datafiles import data_dir
from supervisor_easy.engine import Engine
from supervisor_easy.services import Services
from supervisor_easy.settings import Settings
from supervisor_easy.web import (
    actions,
    auth,
    errors,
    events,
    filters,
    groups,
    health,
    home,
    hosts,
    processes,
    security,
)
from supervisor_easy.web.api import blueprint as api
from supervisor_easy.web.context import EXTENSION, Web, may
from supervisor_easy.web.credentials import cookie_suffix
from supervisor_easy.web.hub import Hub
from supervisor_easy.web.metrics import OperationMetrics
from supervisor_easy.web.namespecs import NamespecConverter
from supervisor_easy.web.prefix import Prefix
from supervisor_easy.web.secret_key import secret_key


def create_app(
    services: Services,
    engine: Engine,
    *,
    hub: Hub | None = None,
    metrics: OperationMetrics | None = None,
) -> Flask:
    """Return the console's application; without the server there are no streams.

    Raises:
        ConfigError: the secret key cannot be kept.
    """
    app = Flask(
        "supervisor_easy",
        template_folder=str(data_dir("templates")),
        static_folder=str(data_dir("static")),
    )
    settings = services.settings
    _configure(app, settings)
    app.url_map.converters["namespec"] = NamespecConverter
    app.extensions[EXTENSION] = Web(
        services=services,
        engine=engine,
        hub=hub or Hub(services, engine),
        metrics=metrics or OperationMetrics(services.actions),
        host_calls=threading.BoundedSemaphore(max(1, settings.web_threads // 2)),
    )
    errors.register(app)
    security.register(app)
    filters.register(app)
    topics = (auth, home, groups, hosts, processes, actions, events, health)
    for topic in topics:
        app.register_blueprint(topic.blueprint)
    app.register_blueprint(api)
    app.context_processor(lambda: _shared(services))
    _wrap(app, settings)
    return app


def _configure(app: Flask, settings: Settings) -> None:
    key = secret_key(settings)
    app.config.update(
        SECRET_KEY=key,
        FLEET_COOKIE_SUFFIX=cookie_suffix(key),
        FLEET_HOST_NAMES=security.host_names(settings),
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=settings.max_request_bytes,
        MAX_FORM_MEMORY_SIZE=settings.max_request_bytes,
        # Our own check decides which requests need a form token.
        WTF_CSRF_CHECK_DEFAULT=False,
        # A form stays good as long as the browser's session.
        WTF_CSRF_TIME_LIMIT=None,
    )
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.json.sort_keys = False  # type: ignore[attr-defined]


def _shared(services: Services) -> dict[str, object]:
    """Return what every template may use."""
    return {
        "may": may,
        "version": __version__,
        "inventory_error": services.inventory.error,
        "now": services.clock.now(),
    }


def _wrap(app: Flask, settings: Settings) -> None:
    inner = app.wsgi_app
    if settings.url_prefix:
        inner = Prefix(inner, settings.url_prefix)
    if settings.trusted_proxies:
        count = settings.trusted_proxies
        inner = ProxyFix(inner, x_for=count, x_proto=count, x_host=count)
    app.wsgi_app = inner  # type: ignore[method-assign]
