"""A rule over all our code: work and its time are rows in Postgres; the broker carries rings and nothing else."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(path for name in ("receiver", "workers", "console", "shared") for path in (ROOT / name).rglob("*.py"))
#: What lets Celery keep time, try again, keep results or orchestrate.
FORBIDDEN_ARGUMENTS = frozenset(
    {"eta", "countdown", "retry_backoff", "autoretry_for", "default_retry_delay", "max_retries", "acks_late"}
)
FORBIDDEN_METHODS = frozenset({"apply_async", "delay", "AsyncResult", "retry", "signature", "si"})
FORBIDDEN_NAMES = frozenset({"chord", "chain", "group", "chunks", "AsyncResult", "ResultSet", "GroupResult"})


def violations(source: str) -> list[str]:
    """What a module does that it must not, each with its line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            named = {keyword.arg for keyword in node.keywords} & FORBIDDEN_ARGUMENTS
            found += [f"{node.lineno}: argument {name}" for name in sorted(named) if _is_of_celery(node)]
            if isinstance(node.func, ast.Attribute) and node.func.attr in FORBIDDEN_METHODS and _is_of_celery(node):
                found.append(f"{node.lineno}: call of {node.func.attr}")
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "celery":
            found += [f"{node.lineno}: import of {one.name}" for one in node.names if one.name in FORBIDDEN_NAMES]
            found += [f"{node.lineno}: import of {node.module}"] * (node.module in ("celery.canvas", "celery.result"))
        if isinstance(node, ast.keyword) and node.arg == "result_backend" and not _is_none(node.value):
            found.append(f"{node.value.lineno}: a result backend")
        if isinstance(node, ast.keyword) and node.arg == "bind" and _is_true(node.value):
            found.append(f"{node.value.lineno}: a bound task, which could retry itself")
    return found


def _is_of_celery(call: ast.Call) -> bool:
    """Whether a call may be one of Celery's; urllib3's and redis's retries are named as their classes."""
    text = ast.unparse(call.func)
    return not text.startswith(("Retry", "HTTPAdapter", "PoolManager", "super().__init__"))


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_true(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def test_no_module_leaves_time_retries_or_results_to_the_broker():
    found = {str(path.relative_to(ROOT)): violations(path.read_text(encoding="utf-8")) for path in MODULES}
    assert len(found) > 50
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "source",
    [
        "task.apply_async(countdown=5)",
        "app.send_task('x', eta=soon)",
        "self.retry(exc=error)",
        "task.delay()",
        "from celery import chord",
        "from celery.result import AsyncResult",
        "app.conf.update(result_backend='redis://')",
        "@shared_task(bind=True)\ndef t(self): pass",
        "@shared_task(autoretry_for=(OSError,))\ndef t(): pass",
    ],
)
def test_the_rule_finds_what_it_forbids(source):
    assert violations(source)


def test_the_rule_lets_our_ring_pass():
    assert violations("app.send_task('intake.drain', queue='intake', expires=60, retry=False)") == []
    assert violations("app.conf.update(result_backend=None, task_acks_late=False)") == []
