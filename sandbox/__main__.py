"""`python -m sandbox`: run the fake Graph API alone."""

import argparse
import json
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from sandbox import config
from sandbox.server import Sandbox
from sandbox.state import State
from sandbox.store import DEFAULT_KEEP, Store
from sandbox.world import World


def main(argv: list[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM. Returns 2 where the configuration has errors."""
    args = _arguments(argv)
    try:
        world = config.apply(_document(args.config), World())
    except config.ConfigError as error:
        print(f"{args.config}: {error}\n{json.dumps(error.problems, indent=2)}", file=sys.stderr)
        return 2
    sandbox = Sandbox(State(world, Store(args.data_dir, args.keep)), args.host, args.port)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: threading.Thread(target=sandbox.stop).start())
    print(f"Sandbox of Meta's Graph API: {sandbox.url}", flush=True)
    if args.config is None:
        print("No --config: it runs with the demo configuration of docs/sandbox.md.", flush=True)
    sandbox.serve()
    return 0


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox", description="A local fake of Meta's Graph API for senders of conversions."
    )
    parser.add_argument("--port", type=int, required=True, help="port to listen on; 0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--data-dir", type=Path, help="where to keep what was received (default: in memory)")
    parser.add_argument("--config", type=Path, help="JSON file with datasets, tokens and click ids")
    parser.add_argument(
        "--keep", type=_positive, default=DEFAULT_KEEP, help="newest events kept (default: %(default)s)"
    )
    return parser.parse_args(argv)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _document(path: Path | None) -> Any:
    if path is None:
        return config.DEMO
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise config.ConfigError([f"Cannot be read: {error.strerror}."]) from None
    except ValueError:
        raise config.ConfigError(["Is not JSON."]) from None


if __name__ == "__main__":
    sys.exit(main())
