"""A coverage-guided fuzz target over every adapter and the body reader, for those who have atheris.

It is not among the locked dependencies, since not every machine has a build of it. Install it beside
them, and bound the run:

    .venv/bin/python -m pip install --target .local/atheris atheris
    PYTHONPATH=.:.local/atheris .venv/bin/python tests/fuzz/atheris_parse.py -max_total_time=120 .local/fuzz-corpus

The last argument is the folder where libFuzzer keeps what led to new code. It starts from all fixtures, and writes an
input that breaks a property to `crash-…` in the current folder; giving that file as an argument runs it again.
"""

import hashlib
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["shared.providers", "shared.domain"]):
    from shared.providers import PROVIDERS
    from tests.fuzz.properties import check, check_body
    from tests.unit.shared.providers.cases import bodies, provider_of

NAMES = sorted(PROVIDERS)


def test_one_input(data: bytes) -> None:
    """One input: its first byte chooses the provider, the rest is the body."""
    if data:
        check_body(data[1:])
        check(NAMES[data[0] % len(NAMES)], data[1:])


def sow(corpus: Path) -> None:
    """Write every fixture into the corpus, under the byte of its provider."""
    corpus.mkdir(parents=True, exist_ok=True)
    for case, path in bodies().items():
        seed = bytes([NAMES.index(provider_of(case))]) + path.read_bytes()
        (corpus / hashlib.sha256(seed).hexdigest()[:32]).write_bytes(seed)


def main() -> None:
    """Fuzz until an option of libFuzzer's says that it is enough."""
    folders = [Path(argument) for argument in sys.argv[1:] if not argument.startswith("-")]
    if folders and not folders[0].is_file():
        sow(folders[0])
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
