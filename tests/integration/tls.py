"""Certificates that nobody vouches for, for servers on loopback."""

import subprocess
from pathlib import Path


def make_certificate(path: Path, names: str) -> Path:
    """Writes a self-signed certificate and its key into one file; `names` is like `DNS:a.example,IP:127.0.0.1`."""
    made = subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=loopback"),
            *("-addext", f"subjectAltName={names}", "-keyout", "-", "-out", "-"),
        ],
        check=True,
        capture_output=True,
    )
    path.write_bytes(made.stdout)
    return path
