"""Structured logs: one JSON object a line, or readable lines on a terminal.

What may be logged is ids, counts, states and durations. Redaction here is a net under that rule, not the rule.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

from shared.structlog_alone import structlog

#: Values under these names never reach a log line, whoever passes them.
_FORBIDDEN_NAMES = frozenset(
    {
        "token",
        "access_token",
        "authorization",
        "secret",
        "password",
        "body",
        "phone",
        "click_id",
        "ctwa_clid",
        "headers",
    }
)
# Where a word begins: also after what was escaped for a URL (%2B55…), in JSON or in a repr (\n55…).
_START = r"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{2})|(?<=\\[nrt])|(?<=\\x[0-9a-f]{2})|(?<=\\u[0-9A-Fa-f]{4}))"
_SHAPES = (
    (re.compile(_START + r"EA[A-Za-z0-9]{20,}"), "[token]"),
    (re.compile(r"(?i)(bearer\s+)\S+"), r"\1[token]"),
    (re.compile(_START + r"A[A-Za-z0-9][A-Za-z0-9_-]{60,}"), "[click id]"),
    # Not the last group of a UUID, nor a fraction or a time in seconds.
    (
        re.compile(
            _START + r"(?<![0-9a-f]{4}-[0-9a-f]{4}-)(?<!\d\.)\+?\d{10,15}(?![A-Za-z0-9]|\.\d)",
        ),
        "[number]",
    ),
    (re.compile(r"(://[^:/@\s]*:)\S+@"), r"\1[password]@"),
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


def configure_logs(process: str, *, log_format: str = "auto", level: str = "info") -> None:
    """Routes structlog and the standard library's logging to stderr in one form; `process` is in every line."""
    shared_steps: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.format_exc_info,
        _process_name(process),
        redact_event,
    ]
    structlog.configure(
        # The level is the root logger's, not the cached logger's: whoever sets it anew is heard.
        processors=[
            structlog.stdlib.filter_by_level,
            *shared_steps,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    readable = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()) if readable else structlog.processors.JSONRenderer()
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared_steps],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # urllib3 logs request paths, which hold dataset ids, and retries of no interest.
    logging.getLogger("urllib3").setLevel(logging.WARNING)


def get_logger(name: str) -> Any:
    """A bound logger: `log.info("webhook stored", webhook_id=…)`."""
    return structlog.get_logger(name)


def redact_event(logger: Any, method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """A structlog processor: forbidden names are emptied, and what looks like a secret in any text is masked."""
    # structlog's own entries begin with an underscore, and are taken out before a line is written.
    return {name: value if name.startswith("_") else _redact(name, value) for name, value in event.items()}


def redact_text(text: str) -> str:
    """`text` without control characters and without what is shaped like a token, click id, phone or password."""
    text = _CONTROL.sub(" ", text)
    for pattern, replacement in _SHAPES:
        text = pattern.sub(replacement, text)
    return text


def _redact(name: str, value: Any) -> Any:
    """What may be logged of `value`, in types that JSON has: a line that can't be rendered would be lost, and the
    logging module would print its raw arguments instead."""
    if name.lower() in _FORBIDDEN_NAMES:
        return "[redacted]"
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {redact_text(str(key)): _redact(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redact("", inner) for inner in value]
    return redact_text(str(value))


def _process_name(process: str) -> Any:
    def add(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.setdefault("process", process)
        return event

    return add
