"""The one place where configuration is read: `load_settings` turns the environment into a frozen `Settings`.

Only entry points call it. What differs between customers (channels, datasets, tokens) is rows, not settings.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from email.utils import parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load, pre_load, validate
from redis import Redis

#: Names of this machine, which nobody else can listen to.
LOOPBACK = ("127.0.0.1", "localhost")


class SettingsError(Exception):
    """One or more settings are missing or wrong. The message lists every one of them, and never a value."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything an entry point may need. `.env.example` describes each in the same order."""

    #: PostgreSQL connection URL of the role this process runs as.
    database_url: str
    #: Redis or Valkey connection URL. It only carries rings; losing it costs seconds.
    redis_url: str
    #: Keys for Meta tokens. The receiver does not hold them.
    token_keys: tuple[str, ...]
    #: Keys for webhook secrets, raw bodies, the spool and identities.
    secret_keys: tuple[str, ...]
    #: Keys for the hashes by which identities are looked up.
    hash_keys: tuple[str, ...]
    graph_url: str
    graph_version: str
    #: Allows a Graph host other than Meta's own or this machine, for a sandbox on another host.
    graph_allow_other_host: bool
    #: The kill switch over all datasets.
    sending: str
    #: Where acknowledged webhooks wait while Postgres is away.
    spool_dir: Path
    spool_max_bytes: int
    max_body_bytes: int
    #: How many reverse proxies stand before the receiver, or the console; that many X-Forwarded-For hops are believed.
    trusted_proxies: int
    #: The receiver's address as providers see it, without a trailing slash.
    public_url: str
    #: The console's address as people open it, without a trailing slash; https, but for this machine.
    console_url: str
    #: How long things are kept, in days; a workspace may say its own for click ids. docs/privacy.md
    keep_webhook_days: int
    keep_click_days: int
    keep_text_days: int
    keep_request_days: int
    keep_notification_days: int
    #: The mail server for alerts, with user and password; empty: no mail is sent.
    smtp_url: str
    mail_from: str
    metrics_port: int | None
    metrics_host: str
    #: prometheus_client's folder for processes that count together.
    metrics_dir: Path | None
    #: How long intake may hold a webhook: more than the hard time limit of its task.
    intake_lease_seconds: int
    #: How long sending may hold a delivery: more than one request's wall clock and the patience of writing its outcome.
    sending_lease_seconds: int
    sweep_seconds: float
    #: After the sweeper (re)connects, leases that ran out meanwhile get this long, for answers that are being written.
    sweep_grace_seconds: float
    log_format: str
    log_level: str

    def __repr__(self) -> str:
        return f"Settings(graph_version={self.graph_version!r}, sending={self.sending!r}, …)"


class _Keys(fields.Field[tuple[str, ...]]):
    """A comma-separated ring of keys, newest first."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> tuple[str, ...]:
        return tuple(key.strip() for key in str(value).split(",") if key.strip())


def _check_database_url(url: str) -> None:
    """Found here, because psycopg would put the whole URL, password and all, into the text of its exception."""
    # Beat and Flower have no database: they would keep 8 MiB each of what they never use.
    import psycopg.conninfo  # noqa: PLC0415

    try:
        psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.Error:
        raise ValidationError("must look like postgresql://user:password@host:5432/database") from None


def _check_redis_url(url: str) -> None:
    try:
        Redis.from_url(url).close()
    except ValueError:
        raise ValidationError("must look like redis://:password@host:6379/0") from None


def _check_console_url(url: str) -> None:
    """Sessions travel in cookies, so nothing but https will do where others could listen."""
    parts = urlsplit(url)
    local = parts.hostname in LOOPBACK
    if not parts.hostname or parts.scheme not in ("http", "https") or parts.path.strip("/") or parts.query:
        raise ValidationError("must look like https://ctwa.example.com")
    if parts.scheme == "http" and not local:
        raise ValidationError(
            "must begin with https://, since passwords and sessions pass; http:// is for 127.0.0.1 only"
        )


def _check_smtp_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("smtp", "smtps") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValidationError("must look like smtps://user:password@mail.example.com:465, or smtp:// for STARTTLS")


def _check_mail_from(sender: str) -> None:
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", parseaddr(sender)[1]):
        raise ValidationError("must look like alerts@example.com, or Alerts <alerts@example.com>")


def _days(name: str, default: int, *, at_least: int = 1) -> fields.Integer:
    return fields.Integer(data_key=name, load_default=default, validate=validate.Range(min=at_least, max=3650))


class _SettingsSchema(Schema):
    class Meta:
        unknown = EXCLUDE

    database_url = fields.String(data_key="DATABASE_URL", load_default="", validate=_check_database_url)
    redis_url = fields.String(data_key="REDIS_URL", load_default="", validate=_check_redis_url)
    token_keys = _Keys(data_key="TOKEN_KEYS", load_default=())
    secret_keys = _Keys(data_key="SECRET_KEYS", load_default=())
    hash_keys = _Keys(data_key="HASH_KEYS", load_default=())
    graph_url = fields.Url(
        data_key="GRAPH_URL",
        load_default="https://graph.facebook.com",
        require_tld=False,
        schemes={"http", "https"},
    )
    graph_version = fields.String(
        data_key="GRAPH_VERSION",
        load_default="v25.0",
        validate=validate.Regexp(r"^v\d{1,2}\.\d$", error="must look like v25.0"),
    )
    graph_allow_other_host = fields.Boolean(data_key="GRAPH_ALLOW_OTHER_HOST", load_default=False)
    sending = fields.String(data_key="SENDING", load_default="on", validate=validate.OneOf(["on", "off", "dry-run"]))
    spool_dir = fields.String(data_key="SPOOL_DIR", load_default=".local/spool")
    spool_max_bytes = fields.Integer(
        data_key="SPOOL_MAX_BYTES", load_default=1_000_000_000, validate=validate.Range(min=0)
    )
    max_body_bytes = fields.Integer(
        data_key="MAX_BODY_BYTES",
        load_default=3 * 1024 * 1024,
        validate=validate.Range(min=1024, max=64 * 1024 * 1024),
    )
    trusted_proxies = fields.Integer(data_key="TRUSTED_PROXIES", load_default=0, validate=validate.Range(min=0, max=5))
    public_url = fields.String(data_key="PUBLIC_URL", load_default="")
    console_url = fields.String(data_key="CONSOLE_URL", load_default="", validate=_check_console_url)
    keep_webhook_days = _days("KEEP_WEBHOOK_DAYS", 30)
    # An event can be sent for a week after its click.
    keep_click_days = _days("KEEP_CLICK_DAYS", 90, at_least=8)
    keep_text_days = _days("KEEP_TEXT_DAYS", 30)
    keep_request_days = _days("KEEP_REQUEST_DAYS", 90, at_least=8)
    keep_notification_days = _days("KEEP_NOTIFICATION_DAYS", 30)
    smtp_url = fields.String(data_key="SMTP_URL", load_default="", validate=_check_smtp_url)
    mail_from = fields.String(data_key="MAIL_FROM", load_default="", validate=_check_mail_from)
    metrics_port = fields.Integer(
        data_key="METRICS_PORT", load_default=None, allow_none=True, validate=validate.Range(min=1, max=65535)
    )
    metrics_host = fields.String(data_key="METRICS_HOST", load_default="127.0.0.1")
    metrics_dir = fields.String(data_key="PROMETHEUS_MULTIPROC_DIR", load_default=None)
    intake_lease_seconds = fields.Integer(
        data_key="INTAKE_LEASE_SECONDS", load_default=75, validate=validate.Range(min=2, max=3600)
    )
    sending_lease_seconds = fields.Integer(
        data_key="SENDING_LEASE_SECONDS", load_default=90, validate=validate.Range(min=2, max=3600)
    )
    sweep_seconds = fields.Float(data_key="SWEEP_SECONDS", load_default=2.0, validate=validate.Range(min=0.1, max=60))
    sweep_grace_seconds = fields.Float(
        data_key="SWEEP_GRACE_SECONDS", load_default=35.0, validate=validate.Range(min=0, max=600)
    )
    log_format = fields.String(
        data_key="LOG_FORMAT", load_default="auto", validate=validate.OneOf(["auto", "json", "console"])
    )
    log_level = fields.String(
        data_key="LOG_LEVEL",
        load_default="info",
        validate=validate.OneOf(["debug", "info", "warning", "error"]),
    )

    @pre_load
    def drop_blank_values(self, data: Mapping[str, str], **kwargs: Any) -> dict[str, str]:
        """An empty variable means "not set": that is how docker-compose passes what .env leaves out."""
        return {name: value for name, value in data.items() if value.strip()}

    @post_load
    def build(self, data: dict[str, Any], **kwargs: Any) -> Settings:
        data["spool_dir"] = Path(data["spool_dir"])
        data["metrics_dir"] = Path(data["metrics_dir"]) if data["metrics_dir"] else None
        data["public_url"] = data["public_url"].rstrip("/")
        data["console_url"] = data["console_url"].rstrip("/")
        data["graph_url"] = data["graph_url"].rstrip("/")
        return Settings(**data)


def load_settings(environ: Mapping[str, str], *, needs: Collection[str] = ()) -> Settings:
    """The settings in `environ`; `NAME_FILE` reads the value of NAME from a file, as container secrets come.

    `needs` names the settings (in capitals) that this entry point can't do without.
    Raises SettingsError with every mistake at once.
    """
    problems: list[str] = []
    values = _with_files(environ, problems)
    for name in sorted(needs):
        if not values.get(name, "").strip():
            problems.append(f"{name}: is not set (give {name}, or {name}_FILE with the path of a file that holds it)")
    settings = None
    try:
        settings = _SettingsSchema().load(values)
    except ValidationError as error:
        problems.extend(_readable(error))
    if problems or not isinstance(settings, Settings):
        raise SettingsError("settings are not usable:\n" + "\n".join(f"  {problem}" for problem in problems))
    return settings


def _with_files(environ: Mapping[str, str], problems: list[str]) -> dict[str, str]:
    values = dict(environ)
    known = {field.data_key for field in _SettingsSchema().fields.values()}
    for name in sorted(known, key=str):
        path = environ.get(f"{name}_FILE", "").strip()
        if not name or not path:
            continue
        if environ.get(name, "").strip():
            problems.append(f"{name}: both {name} and {name}_FILE are set; keep one")
            continue
        try:
            values[name] = Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            problems.append(f"{name}_FILE: cannot be read ({error.strerror})")
        except ValueError:
            problems.append(f"{name}_FILE: cannot be read (the file, or its name, is not UTF-8 text)")
    return values


def _readable(error: ValidationError) -> list[str]:
    return [f"{name}: {' '.join(map(str, texts))}" for name, texts in sorted(error.messages_dict.items())]
