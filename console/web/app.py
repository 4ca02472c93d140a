"""The Flask application of the console."""

from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from console.api.app import MOUNT, create_api
from console.web import (
    access,
    assets,
    audit_words,
    charts,
    cookies,
    delivery_words,
    errors,
    figure_filters,
    formats,
    kpis,
    language,
    navigation,
    requests,
    said,
    security,
    words,
)
from console.web import runtime as runtimes
from console.web.account import account
from console.web.accounts import accounts
from console.web.ads import ads
from console.web.alerts import alerts
from console.web.audit import audit
from console.web.bodies import Bodies
from console.web.contacts import contacts
from console.web.datasets import datasets
from console.web.deliveries import deliveries
from console.web.delivery_repairs import repairs
from console.web.forgotten import forgotten
from console.web.health import health
from console.web.home import home
from console.web.keys import keys
from console.web.links import links
from console.web.login import login
from console.web.overview import overview
from console.web.quality import quality
from console.web.rows import rows
from console.web.rules import rules
from console.web.runtime import Runtime
from console.web.samples import samples
from console.web.setup import setup
from console.web.spend import spend
from console.web.team import team
from console.web.webhooks import webhooks
from console.web.workspaces import workspaces

#: Pages, in no order: what is shown where is in navigation.py.
BLUEPRINTS = (
    health, home, login, forgotten, links, account, team, workspaces, keys, audit, overview, ads, quality, rows,
    deliveries, repairs, webhooks, setup, samples, datasets, rules, accounts, spend, contacts, alerts,
)  # fmt: skip


def create_app(runtime: Runtime) -> Flask:
    """The WSGI application. Raises RuntimeError when a view does not say who may open it."""
    app = Flask("console.web", static_url_path="/static")
    app.wsgi_app = Bodies(DispatcherMiddleware(app.wsgi_app, {MOUNT: create_api(runtime)}))  # type: ignore[method-assign]
    proxies = runtime.settings.trusted_proxies
    if proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=0, x_host=0)  # type: ignore[method-assign]
    app.config["PREFERRED_URL_SCHEME"] = runtime.scheme
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    runtimes.install(app, runtime)
    requests.install(app)
    cookies.install(app, runtime)
    security.install(app, runtime)
    access.install(app)
    language.install(app)
    formats.install(app)
    kpis.install(app)
    figure_filters.install(app)
    charts.install(app)
    words.install(app)
    said.install(app)
    audit_words.install(app)
    delivery_words.install(app)
    navigation.install(app)
    assets.install(app)
    errors.install(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    access.check(app)
    return app
