"""Pages: how long the console takes to make each of them over two million deliveries. By `make bench-pages`."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, LiteralString

import psycopg
from flask import Flask

from console.team.roles import Role
from console.web.access import access_of
from console.web.app import create_app
from console.web.runtime import Runtime
from shared.db.rollups import add_zone, missing_zones, refresh_all
from shared.db.webhook_counts import counting
from shared.settings import load_settings
from tests.bench.fill import DAYS, Places, add_waiting, analyse, fill
from tests.bench.harness import Figure, in_turns
from tests.bench.results import Found, Part, Sizes, Table, Target
from tests.bench.rig import servers_in
from tests.faults.servers import Servers, with_database_url
from tests.integration.web.site import CONSOLE_URL, Browser, Site

#: What one person of fill.py takes on the disk, and what has to stay free.
_BYTES_EACH = 5_000
_KEEP_FREE = 5_000_000_000
_WANTED_MS = 300
_EMPTY = "empty"
#: Files are no pages: they take as long as there are rows.
_FILES = ("ads.export", "deliveries.export", "rows.export")
#: What is asked of a page beside what it shows when nothing is said.
_ASKED: dict[str, tuple[str, ...]] = {
    "overview.page": ("?period=90d", "?basis=click&click=first"),
    "ads.page": ("?level=ad", "?level=creative&period=90d&sort=-leads"),
    "quality.page": ("?period=90d",),
    "deliveries.page": (
        "?since=30d", "?since=all", "?state=accepted&since=all", "?state=skipped&reason=no_click_id&since=30d",
        "?event=Purchase&since=all",
    ),
    "contacts.page": ("?stage=won", "?tag=vip"),
    "webhooks.page": ("?state=rejected",),
}  # fmt: skip

# What came of the people of fill.py: every tenth qualified, every 25th bought, and not everything was accepted.
_LATER: tuple[LiteralString, ...] = (
    """
    insert into conversions (id, workspace, contact_id, channel_id, event_name, occurred_at, value, currency, order_id,
                             source, touchpoint_id, attribution, business_key, created_at)
    select gen_random_uuid(), 'default', t.contact_id, t.channel_id, e.name, t.occurred_at + e.after,
           case e.name when 'Purchase' then 50 + t.id %% 300 end, case e.name when 'Purchase' then 'BRL' end,
           case e.name when 'Purchase' then 'order ' || t.id end, 'api', t.id, 'last_click', e.name || ':' || t.id,
           t.occurred_at + e.after
    from touchpoints t
    join (values ('QualifiedLead', 10, interval '3 hours'), ('Purchase', 25, interval '1 day')) e (name, each, after)
      on t.id %% e.each = 0
    """,
    """
    insert into deliveries (conversion_id, dataset_id, event_name, business_key, event_id, event_time, has_value, state,
                            reason, attempts, accepted_at, unknown_since, finished_at, created_at, updated_at)
    select c.id, %(dataset)s, c.event_name, c.business_key, md5(c.business_key), c.occurred_at, c.value is not null,
           s.state, s.reason, 1, case s.state when 'accepted' then c.occurred_at end,
           case s.state when 'unknown' then c.occurred_at end,
           case when s.state <> 'unknown' then c.occurred_at end, c.occurred_at, c.occurred_at
    from conversions c
    join (values (0, 'accepted', null), (1, 'skipped', 'no_click_id'), (2, 'accepted', null),
                 (3, 'skipped', 'duplicate'), (4, 'rejected', 'meta_100_2804087')) s (n, state, reason)
      on s.n = c.touchpoint_id / 50 %% 5
    where c.event_name <> 'Lead'
    """,
    # No trigger counted them.
    """
    insert into delivery_counts (workspace, dataset_id, hour, state, reason, is_test, count)
    select c.workspace, d.dataset_id, date_trunc('hour', d.created_at, 'UTC'), d.state,
           case when d.state <> 'accepted' then d.reason end, d.is_test, count(*)
    from deliveries d join conversions c on c.id = d.conversion_id
    where d.state in ('accepted', 'rejected', 'skipped', 'expired') group by 1, 2, 3, 4, 5, 6
    """,
    """
    update contacts c set stage = 'won', tags = '{vip}' where id %% 100 = 0
    """,
    """
    insert into ads (account_id, ad_id, ad_name, ad_set_id, ad_set_name, campaign_id, campaign_name, status)
    select %(account)s, (120000000000000000 + n)::text, 'Ad ' || n, 's' || n / 5, 'Set ' || n / 5, 'c' || n / 25,
           'Campaign ' || n / 25, 'ACTIVE' from generate_series(0, 499) n
    """,
    """
    insert into ad_spend_daily (account_id, day, level, object_id, currency, spend, impressions, clicks, link_clicks,
                                conversations_started, source)
    select %(account)s, current_date - d, 'ad', (120000000000000000 + n)::text, 'BRL', 25, 900, 30, 20, 4, 'meta'
    from generate_series(0, 499) n, generate_series(1, 28) d
    """,
    """
    insert into ad_account_days (account_id, day, level, source, synced_at)
    select %(account)s, current_date - d, 'ad', 'meta', now() from generate_series(1, 28) d
    """,
)


@dataclass(frozen=True)
class _Console:
    """The console on a filled database: the pages that there are, by name."""

    browser: Browser
    full: dict[str, str]
    empty: dict[str, str]


def run(sizes: Sizes) -> Found:
    """Fills one database, adds its days up, and opens every page in turns."""
    people = (sizes.rows or (20_000 if sizes.quick else 2_000_000,))[0]
    if people * _BYTES_EACH > shutil.disk_usage(sizes.folder).free - _KEEP_FREE:
        raise SystemExit(f"{people:,} people need {people * _BYTES_EACH / 1e9:.0f} GB of disk and 5 GB beside them.")
    with servers_in(sizes.folder / "servers") as servers:
        url, refreshed = _filled(servers, people, sizes)
        with _console(servers, url) as console:
            pages = [("full", name, path) for name, path in console.full.items()]
            pages += [("empty", name, path) for name, path in console.empty.items()]
            took = in_turns(
                {(where, name): partial(_milliseconds, console.browser, path) for where, name, path in pages},
                rounds=3 * sizes.rounds,
                say=lambda _: None,
            )
        with psycopg.connect(url) as conn:
            row = conn.execute("select count(*) from deliveries").fetchone()
    full = {name: Figure.of(times) for (where, name), times in took.items() if where == "full"}
    empty = {name: Figure.of(times) for (where, name), times in took.items() if where == "empty"}
    slowest = max([*full, *empty], key=lambda name: max(one[name].median for one in (full, empty) if name in one))
    worst = max((one[slowest] for one in (full, empty) if slowest in one), key=lambda figure: figure.median)
    return Found(
        sizes=f"{row[0] if row else 0:,} deliveries of {people:,} people over {DAYS} days; each page"
        f" {3 * sizes.rounds} times; days were added up in {refreshed:.0f} s",
        tables=[
            Table(
                ["page, ms", "of the workspace that has it all", "of an empty one beside it"],
                [[name, figure, empty.get(name, "–")] for name, figure in full.items()],
            )
        ],
        targets=[Target(f"the slowest page ({slowest})", "at most", _WANTED_MS, worst, "ms")],
    )


def _filled(servers: Servers, people: int, sizes: Sizes) -> tuple[str, float]:
    """The URL of a filled database, and how many seconds adding its days up took."""
    servers.fresh_database(servers.postgres, "pages")
    url = with_database_url(servers.postgres.url, "pages")
    began = time.monotonic()
    with psycopg.connect(url, autocommit=True) as conn:
        channels: dict[str, int] = dict(conn.execute("select name, id from channels").fetchall())
        datasets: dict[str, int] = dict(conn.execute("select name, id from datasets").fetchall())
        places = Places(channels["first"], datasets["first"], channels["second"], datasets["second"])
        row = conn.execute(
            "insert into ad_accounts (workspace, name, currency, zone) values ('default', 'main', 'BRL', 'UTC')"
            " returning id"
        ).fetchone()
        assert row is not None
        fill(conn, places, people)
        conn.execute("set session_replication_role = replica")
        for statement in _LATER:
            conn.execute(statement, {"dataset": places.dataset, "account": row[0]})
        # Intake didn't read them, so nobody counted them.
        conn.execute(counting("webhooks", "+").encode())
        conn.execute("set session_replication_role = origin")
        add_waiting(conn, places.channel, places.dataset, first=1, count=2_000)
        analyse(conn)
        sizes.say(f"  filled: {time.monotonic() - began:.0f} s")
        began = time.monotonic()
        for workspace, zone in missing_zones(conn):
            add_zone(conn, workspace, zone)
        refresh_all(conn)
        refreshed = time.monotonic() - began
        conn.execute("vacuum (analyze) roi_daily")
        conn.execute("checkpoint")
    sizes.say(f"  days added up: {refreshed:.0f} s")
    return url, refreshed


@contextmanager
def _console(servers: Servers, url: str) -> Iterator[_Console]:
    """The console's application in this process, opened by somebody who owns everything."""
    environ = {
        **servers.keys,
        "DATABASE_URL": url,
        "REDIS_URL": servers.valkey.url,
        "CONSOLE_URL": CONSOLE_URL,
        "PUBLIC_URL": "https://hooks.example.com",
        "HOME": os.environ.get("HOME", "/"),
    }
    runtime = Runtime(load_settings(environ), connections=2)
    app = create_app(runtime)
    site = Site(app, runtime, url)
    try:
        site.member("owner", _EMPTY)
        browser = site.as_user(site.add_user("bench@example.com"))
        # What fill.py keeps of people isn't sealed; who is looked at has to be.
        site.execute(
            "update contact_identities set ciphertext = %s where contact_id = (select max(id) from contacts)",
            runtime.ring.seal(b"15550100123"),
        )
        ids = {name: site.rows(query)[0]["id"] for name, query in _IDS.items()}
        site.execute("update webhooks set body = %s where id = %s", runtime.ring.seal(b"{}"), ids["webhook_id"])
        yield _Console(
            browser=browser,
            full=_pages(app, {**ids, "workspace_id": site.workspace_id()}),
            empty=_pages(app, {"workspace_id": site.workspace_id(_EMPTY)}),
        )
    finally:
        runtime.close()


#: A row for each part of a path.
_IDS: dict[str, LiteralString] = {
    "contact_id": "select max(id) as id from contacts",
    "delivery_id": "select d.id from deliveries d join conversions c on c.id = d.conversion_id"
    " where c.contact_id = (select max(id) from contacts) and d.state = 'accepted' order by d.id limit 1",
    "webhook_id": "select webhook_id as id from messages where contact_id = (select max(id) from contacts)",
    "channel_id": "select id from channels where name = 'first'",
}


def _pages(app: Flask, ids: dict[str, Any]) -> dict[str, str]:
    """The path of every page of a workspace that these ids lead to, by the page's name with what is asked of it."""
    found = {}
    for rule in app.url_map.iter_rules():
        known = set(rule.arguments) <= set(ids) and "workspace_id" in rule.arguments
        if "GET" in (rule.methods or ()) and known and rule.endpoint not in _FILES:
            assert isinstance(access_of(app, rule.endpoint), Role)
            built = rule.build({name: ids[name] for name in rule.arguments})
            assert built is not None
            for asked in ("", *_ASKED.get(rule.endpoint, ())):
                found[f"{rule.endpoint.removesuffix('.page')} {asked}".strip()] = built[1] + asked
    return found


def _milliseconds(browser: Browser, path: str) -> float:
    began = time.perf_counter()
    response = browser.get(path)
    took = 1000 * (time.perf_counter() - began)
    assert response.status_code == 200, f"{path}: {response.status_code}"
    return took


PART = Part(
    name="pages",
    title="The console's pages",
    method=f"""
One database with two million people over {DAYS} days, made by Postgres itself as for *Growth*: each wrote by one of
500 ads, is a Lead, and has an accepted delivery; every tenth is qualified and every 25th bought, with deliveries that
were accepted, skipped or refused; spend of every ad and day; figures added up by the sweeper's own function. Every page
of the URL map that shows a workspace is opened in turns, as it is and with what makes it work hardest, for that
workspace and for an empty one in the same database, after a round that warms up. The time is the application's, from
the request to the whole answer: access, queries, template; no network and no browser. Files are left out: they take as
long as there are rows.
""",
    limits="""
Counting. Lists read a page of rows by an index whatever there is, and figures read sums that are kept by day or hour;
what is left is work by channel, by ad and by day.
""",
    run=run,
)
