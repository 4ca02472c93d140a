from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import redis

from shared.local import postgres
from shared.local.launch import guard_command
from shared.local.ports import Ports, is_listening
from shared.local.postgres import embedded_postgres, running_postgres
from shared.local.privileges import Privileges, nobody
from shared.local.process import Process, StackError, running
from shared.local.servers import choose_servers
from shared.local.supervisor import Step
from shared.local.valkey import embedded_valkey, running_valkey

ROOT = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.timeout(60)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def namespaces_allowed():
    guarded = guard_command(["true"], parent=os.getpid(), privileges=Privileges.NAMESPACE)
    return subprocess.run(guarded, capture_output=True, check=False).returncode == 0


def scalar(url, query):
    with psycopg.connect(url) as conn:
        row = conn.execute(query).fetchone()
    return row[0] if row else None


def test_a_cluster_keeps_its_data_and_its_password_from_one_start_to_the_next(tmp_path):
    with running_postgres(tmp_path / "home") as first, psycopg.connect(first) as conn:
        conn.execute("create table t as select 'São Paulo' as city")
    assert not is_listening(int(first.rpartition(":")[2].partition("/")[0]))
    with running_postgres(tmp_path / "home") as second:
        assert scalar(second, "select upper(city) from t") == "SÃO PAULO"
    assert second == first


def test_what_was_committed_survives_kill_9_of_the_server(tmp_path):
    with running_postgres(tmp_path) as url:
        with psycopg.connect(url) as conn:
            conn.execute("create table t as select 1 as n")
        os.kill(int((tmp_path / "pg18" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    with running_postgres(tmp_path) as url:
        assert scalar(url, "select n from t") == 1


def test_a_server_outlives_the_thread_that_started_it(tmp_path):
    """The kernel calls a thread's end the parent's end."""
    stack = contextlib.ExitStack()
    with stack, ThreadPoolExecutor(1) as pool:
        url = pool.submit(stack.enter_context, running_postgres(tmp_path, durable=False)).result()
        pool.shutdown()
        begun = scalar(url, "select pg_postmaster_start_time()")
        assert scalar(url, "select pg_sleep(0.3)::text") == ""
        assert scalar(url, "select pg_postmaster_start_time()") == begun


def test_postgres_is_durable_unless_told_otherwise(tmp_path):
    names = ("fsync", "synchronous_commit", "full_page_writes")
    with running_postgres(tmp_path / "a") as url:
        assert [scalar(url, f"show {name}") for name in names] == ["on"] * 3
    with running_postgres(tmp_path / "b", durable=False) as url:
        assert [scalar(url, f"show {name}") for name in names] == ["off"] * 3
        assert scalar(url, "show timezone") == "UTC"


def test_postgres_wants_its_password_and_listens_on_loopback_only(tmp_path):
    with running_postgres(tmp_path, durable=False) as url:
        password = (tmp_path / "postgres.password").read_text()
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(url.replace(password, "guess"))
        assert scalar(url, "show listen_addresses") == "127.0.0.1"
        assert scalar(url, "select substr(rolpassword, 1, 13) from pg_authid where rolname = 'ctwa'") == "SCRAM-SHA-256"
    assert (tmp_path / "postgres.password").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "pg18").stat().st_mode & 0o777 == 0o700


def test_an_interrupted_initdb_is_begun_again(tmp_path):
    (tmp_path / "unfinished-pg18").mkdir()
    (tmp_path / "unfinished-pg18" / "PG_VERSION").write_text("18")
    with running_postgres(tmp_path, durable=False) as url:
        assert scalar(url, "select 1") == 1


def test_a_cluster_of_another_major_version_is_not_passed_over(tmp_path):
    (tmp_path / "pg17").mkdir()
    (tmp_path / "pg17" / "PG_VERSION").write_text("17")
    with pytest.raises(StackError, match=r"another major version \(pg17\)"):
        embedded_postgres(tmp_path, 1).prepare()


def test_what_initdb_complains_of_is_in_the_error(tmp_path):
    server = embedded_postgres(tmp_path, 1)
    (tmp_path / "postgres.password").write_text("")
    with pytest.raises(StackError, match=r"(?s)initdb failed.*password file"):
        server.prepare()


def test_a_server_that_cannot_start_shows_its_log(tmp_path):
    server = embedded_postgres(tmp_path, Ports(tmp_path).pick("postgres"), durable=False)
    server.prepare()
    (server.data / "postgresql.conf").write_text("nonsense = 1\n")
    complaint = r"(?s)exited with code 1.*unrecognized configuration parameter"
    with pytest.raises(StackError, match=complaint), running(server.process(), tmp_path / "postgres.log"):
        raise AssertionError("it started")


@as_root
@pytest.mark.parametrize("closed", [True, False])
def test_root_runs_postgres_in_a_namespace_or_as_nobody_and_may_change_between_them(tmp_path, monkeypatch, closed):
    tmp_path.chmod(0o700 if closed else 0o755)
    choices = [Privileges.NOBODY, *([Privileges.NAMESPACE, Privileges.NOBODY] if namespaces_allowed() else [])]
    for number, choice in enumerate(choices):
        monkeypatch.setattr(postgres, "_privileges", lambda binaries, home, choice=choice: choice)
        with running_postgres(tmp_path / "home", durable=False) as url:
            pid = int((tmp_path / "home" / "pg18" / "postmaster.pid").read_text().split()[0])
            outside = Path(f"/proc/{pid}").stat().st_uid
            assert (outside == 0) is (choice is Privileges.NAMESPACE)
            with psycopg.connect(url) as conn:
                conn.execute(f"create table t{number} ()")
            assert scalar(url, "select count(*) from pg_tables where schemaname = 'public'") == number + 1
    assert tmp_path.stat().st_mode & 0o777 == (0o700 if closed else 0o755)
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700


@as_root
def test_an_ordinary_user_runs_postgres_as_itself():
    code = """
        import sys
        from pathlib import Path
        import psycopg
        sys.path.insert(0, sys.argv[1])
        from shared.local.postgres import running_postgres
        with running_postgres(Path(sys.argv[2]), durable=False) as url, psycopg.connect(url) as conn:
            print(conn.execute("select 'works'").fetchone()[0])
    """
    folder = tempfile.mkdtemp()
    try:
        os.chown(folder, *nobody())
        command = [sys.executable, "-c", textwrap.dedent(code), str(ROOT), f"{folder}/home"]
        guarded = guard_command(command, parent=os.getpid(), privileges=Privileges.NOBODY)
        done = subprocess.run(guarded, cwd=folder, capture_output=True, text=True, check=False)
        assert (done.stdout, done.stderr) == ("works\n", "")
        assert Path(folder, "home", "pg18").stat().st_uid == nobody()[0]
    finally:
        shutil.rmtree(folder)


def test_valkey_keeps_its_data_and_survives_kill_9(tmp_path):
    server = embedded_valkey(tmp_path, Ports(tmp_path).pick("valkey"))
    server.prepare()
    with running(server.process(), tmp_path / "log") as child, redis.Redis.from_url(server.url) as client:
        client.set("kept", "yes")
        assert client.execute_command("WAITAOF", 1, 0, 5000)[0] == 1
        os.kill(child.pid, signal.SIGKILL)
    with running_valkey(tmp_path) as url, redis.Redis.from_url(url) as client:
        assert url == server.url
        assert client.get("kept") == b"yes"


def test_valkey_is_set_up_for_a_broker_and_shows_its_password_to_nobody(tmp_path):
    expected = {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction", "bind": "127.0.0.1"}
    server = embedded_valkey(tmp_path / "a b", Ports(tmp_path).pick("valkey"))
    server.prepare()
    with running(server.process(), tmp_path / "log") as child, redis.Redis.from_url(server.url) as client:
        assert client.config_get(*expected) == expected
        assert server.password not in Path(f"/proc/{child.pid}/cmdline").read_text()
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=server.port).ping()
    assert (tmp_path / "a b" / "valkey.conf").stat().st_mode & 0o777 == 0o600
    assert server.password not in repr(server)


def test_a_wanted_port_that_is_taken_is_refused_and_others_are_passed_over(tmp_path):
    ports = Ports(tmp_path)
    picked = ports.pick("valkey")
    with socket.create_server(("127.0.0.1", picked)):
        assert Ports(tmp_path).pick("valkey") != picked
        with pytest.raises(OSError, match=f"port {picked}, wanted for console, is in use"):
            Ports(tmp_path).pick("console", picked)
    assert Ports(tmp_path).pick("valkey") == picked
    assert ports.pick("valkey") != picked


def test_servers_that_are_named_are_used_and_no_others_are_started(tmp_path):
    with running_postgres(tmp_path / "pg", durable=False) as database, running_valkey(tmp_path / "v") as queue:
        state = tmp_path / "state"
        servers = choose_servers(state, Ports(state), database_url=database, redis_url=queue)
        assert (servers.database_url, servers.redis_url) == (database, queue)
        assert not [item for item in servers.items if isinstance(item, Process)]
        for item in servers.items:
            assert isinstance(item, Step)
            item.run()
    for item in servers.items:
        with pytest.raises(StackError, match=r"(DATABASE|REDIS)_URL does not let us in"):
            item.run()


@pytest.mark.parametrize(
    ("urls", "reason"),
    [
        ({"database_url": "mysql hunter2", "redis_url": "redis://h"}, "DATABASE_URL is not a Postgres URL"),
        ({"database_url": "postgresql://h", "redis_url": "http://:hunter2@h"}, "REDIS_URL is not a Redis URL"),
    ],
)
def test_a_url_that_is_none_is_refused_without_repeating_it(tmp_path, urls, reason):
    servers = choose_servers(tmp_path, Ports(tmp_path), **urls)
    step = servers.items[0 if reason.startswith("DATABASE") else 1]
    with pytest.raises(StackError, match=reason) as caught:
        step.run()
    assert "hunter2" not in str(caught.value)
