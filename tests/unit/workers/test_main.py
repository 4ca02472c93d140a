"""How workers, beat, Flower and the sweeper are started."""

import subprocess
import sys

import pytest

_RUN = """
import runpy, sys
sys.argv = ["workers", *{arguments}]
try:
    runpy.run_module("workers", run_name="__main__")
except SystemExit as end:
    print(end)
print(sorted(({{"flower", "tornado", "prompt_toolkit", "pygments", "rich", "yaml"}} | {unneeded}) & set(sys.modules)))
"""


@pytest.mark.parametrize(
    ("arguments", "said", "unneeded"),
    [
        (["worker"], "SECRET_KEYS: is not set", set()),
        (["beat"], "REDIS_URL: is not set", {"psycopg"}),
        (["flower"], "REDIS_URL: is not set", {"psycopg"}),
        (["sweeper"], "SECRET_KEYS: is not set", set()),
        (["other"], "python -m workers worker, beat, flower or sweeper", {"psycopg"}),
    ],
)
def test_a_start_that_fails_says_why_and_no_process_loads_what_it_never_uses(arguments, said, unneeded):
    program = _RUN.format(arguments=arguments, unneeded=unneeded or "set()")
    done = subprocess.run([sys.executable, "-c", program], env={}, capture_output=True, text=True, check=True)
    assert said in done.stdout
    assert done.stdout.endswith("[]\n")
