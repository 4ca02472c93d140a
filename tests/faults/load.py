"""The scripted load with known truth: webhooks as two providers send them, and what was acknowledged of them."""

import heapq
import http.client
import json
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any
from uuid import UUID

import psycopg

from shared.providers import PROVIDERS
from shared.providers.base import Request
from shared.providers.samples import load_sample
from tests.faults.servers import CLICK_CANARY, PHONE_CANARY, Target
from tests.faults.wait import wait_until

_SENDERS = 6
_ANSWER_SECONDS = 15.0
#: A provider comes again when it gets no 200; real ones wait for minutes.
_AGAIN_SECONDS = 0.4
#: What the order ids of sales begin with.
SALE = "sale-"
_AD_SHARE = 0.65
_REDELIVERED_SHARE = 0.12


@dataclass
class Post:
    """One webhook: what it says, and what came of posting it. `click_id` is None for an organic message."""

    target: Target
    message_id: str
    click_id: str | None
    body: bytes
    acknowledged_at: float | None = None
    acknowledgements: int = 0


@dataclass
class Sale:
    """One purchase of a click, reported to the API, and what came of it. `promised` are the ids it was answered."""

    order_id: str
    key: str = field(repr=False)
    body: bytes
    acknowledged_at: float | None = None
    acknowledgements: int = 0
    promised: set[UUID] = field(default_factory=set)


@dataclass
class Ledger:
    """What the senders know: every post, every sale, every answer. Times are of time.time()."""

    posts: list[Post] = field(default_factory=list)
    sales: list[Sale] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    slowest_seconds: float = 0.0

    @property
    def acknowledged(self) -> list[Post]:
        return [post for post in self.posts if post.acknowledged_at is not None]

    @property
    def refusals(self) -> Counter[str]:
        """The answers other than 200, and 202 to a sale."""
        return Counter({answer: count for answer, count in self.answers.items() if answer not in ("200", "202")})


class Load:
    """Posts webhooks at a steady rate while its block runs; `settle` then posts what wasn't acknowledged yet.

    With `sales` a second, each of an ad that was acknowledged is reported with `key`, twice at the same time.
    """

    def __init__(
        self,
        targets: tuple[Target, ...],
        port: int,
        *,
        seed: int,
        rate: float = 40.0,
        again: bool = True,
        sales: float = 0.0,
        key: str = "",
    ) -> None:
        self.ledger = Ledger()
        self._targets = targets
        self._port = port
        self._rng = random.Random(seed)
        self._seed = seed
        self._rate = rate
        self._sales = sales
        self._key = key
        self._again = again
        self._lock = threading.Lock()
        self._queue: list[tuple[float, int, Post | Sale]] = []
        self._count = 0
        self._stopped = threading.Event()
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._send_all, daemon=True) for _ in range(_SENDERS)]
        self._source = threading.Thread(target=self._produce, daemon=True)

    def __enter__(self) -> "Load":
        for thread in (*self._threads, self._source):
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        self._stopped.set()
        self._source.join()
        if kind is not None:
            self._ended.set()

    def settle(self, seconds: float = 30.0) -> None:
        """Waits until every webhook is acknowledged: a provider that got no 200 comes again. Raises Late."""
        try:
            wait_until("every webhook is acknowledged", self._all_acknowledged, seconds=seconds)
        finally:
            self.end()

    def end(self) -> None:
        """Gives up on what is not acknowledged."""
        self._ended.set()
        for thread in self._threads:
            thread.join(_ANSWER_SECONDS + 5)

    def put(self, post: Post, *, copies: int = 1) -> None:
        """Posts one more, also several times the same."""
        with self._lock:
            self.ledger.posts.append(post)
            self._push(post, copies)

    def report(self, click_id: str) -> None:
        """Reports a new purchase of this click, twice."""
        with self._lock:
            order_id = f"{SALE}{self._seed:04d}-{len(self.ledger.sales) + 1:08d}"
            item = {
                "contact": {"click_id": click_id},
                "event_name": "Purchase",
                "occurred_at": datetime.now(UTC).isoformat(),
                "value": "19.90",
                "currency": "USD",
                "order_id": order_id,
            }
            sale = Sale(order_id, self._key, json.dumps(item).encode())
            self.ledger.sales.append(sale)
            self._push(sale, 2)

    def _push(self, one: Post | Sale, copies: int) -> None:
        for _ in range(copies):
            self._count += 1
            heapq.heappush(self._queue, (time.monotonic(), self._count, one))

    def make(self, number: int, *, kind: str | None = None, target: Target | None = None) -> Post:
        """A new webhook, the same for the same seed and number but for its time."""
        target = target or self._targets[number % len(self._targets)]
        is_ad = kind == "ad" if kind else self._rng.random() < _AD_SHARE
        click_id = f"{CLICK_CANARY}{self._seed:04d}{number:08d}{'x' * 24}" if is_ad else None
        message_id = f"wamid.FAULTS{self._seed:04d}{number:08d}"
        body = load_sample(
            target.provider,
            "ad" if is_ad else "organic",
            now=datetime.now(UTC),
            message_id=message_id,
            phone=f"{PHONE_CANARY}{number:06d}",
            click_id=click_id,
        )
        return Post(target, message_id, click_id, body)

    def _produce(self) -> None:
        began = time.monotonic()
        number = 0
        chance = random.Random(self._seed)
        while not self._stopped.wait(0.02):
            while number < (time.monotonic() - began) * self._rate:
                number += 1
                self.put(self.make(number))
            ads = [post.click_id for post in self.ledger.acknowledged if post.click_id]
            if ads and len(self.ledger.sales) < (time.monotonic() - began) * self._sales:
                self.report(chance.choice(ads))

    def _all_acknowledged(self) -> bool:
        with self._lock:
            sent: list[Post | Sale] = [*self.ledger.posts, *self.ledger.sales]
            return not self._queue and all(one.acknowledged_at is not None for one in sent)

    def _send_all(self) -> None:
        connection: http.client.HTTPConnection | None = None
        while not self._ended.is_set():
            one = self._next()
            if one is None:
                time.sleep(0.01)
                continue
            connection = connection or http.client.HTTPConnection("127.0.0.1", self._port, timeout=_ANSWER_SECONDS)
            began = time.monotonic()
            answer: int | str
            try:
                answer = post_once(connection, one) if isinstance(one, Post) else report_once(connection, one)
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                connection, answer = None, type(error).__name__
            self._note(one, answer, time.monotonic() - began)
        if connection is not None:
            connection.close()

    def _next(self) -> Post | Sale | None:
        with self._lock:
            if self._queue and self._queue[0][0] <= time.monotonic():
                return heapq.heappop(self._queue)[2]
            return None

    def _note(self, post: Post | Sale, answer: int | str, seconds: float) -> None:
        with self._lock:
            self.ledger.answers[str(answer)] += 1
            if answer in (http.client.OK, http.client.ACCEPTED):
                post.acknowledged_at = post.acknowledged_at or time.time()
                post.acknowledgements += 1
                self.ledger.slowest_seconds = max(self.ledger.slowest_seconds, seconds)
                redelivered = self._again and post.acknowledgements == 1 and self._rng.random() < _REDELIVERED_SHARE
            else:
                redelivered = True
            if redelivered:
                self._count += 1
                wait = self._rng.uniform(_AGAIN_SECONDS, 3 * _AGAIN_SECONDS)
                heapq.heappush(self._queue, (time.monotonic() + wait, self._count, post))


def post_once(connection: http.client.HTTPConnection, post: Post) -> int:
    """The status a webhook is answered with. Raises OSError or HTTPException."""
    path = f"/webhooks/{post.target.key}"
    headers = {"content-type": "application/json"}
    request = Request(
        method="POST",
        headers=headers,
        body=post.body,
        url=f"http://127.0.0.1:{connection.port}{path}",
        received_at=datetime.now(UTC),
    )
    signed = PROVIDERS[post.target.provider].sign(request, post.target.secrets)
    connection.request("POST", path, body=post.body, headers={**headers, **signed})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def report_once(connection: http.client.HTTPConnection, sale: Sale) -> int:
    """The status a report is answered with; notes the ids that were promised. Raises OSError or HTTPException."""
    headers = {"content-type": "application/json", "authorization": f"Bearer {sale.key}"}
    connection.request("POST", "/v1/conversions", body=sale.body, headers=headers)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status == http.client.ACCEPTED:
        sale.promised |= {UUID(item["id"]) for item in json.loads(content)["data"]}
    return answer.status


_PURCHASES = """
with numbers as (
    select n, md5(%(seed)s || '-' || n) as digest from generate_series(%(first)s::integer, %(last)s::integer) n
), channel as (
    select c.id, c.dataset_id, c.workspace from channels c where c.name = %(channel)s
), people as (
    insert into contacts (workspace) select c.workspace from channel c, numbers returning id
), numbered as (
    select id, row_number() over (order by id) + %(first)s - 1 as n from people
), written as (
    insert into messages (channel_id, message_id, contact_id, class, received_at, webhook_id, webhook_received_at)
    select c.id, 'order-' || %(seed)s || '-' || n, p.id, 'ad', now(), gen_random_uuid(), now()
    from channel c, numbered p
    returning id, contact_id
), touched as (
    insert into touchpoints (message_id, contact_id, channel_id, class, click_id, click_hash, occurred_at)
    select w.id, w.contact_id, c.id, 'ad',
           %(canary)s || 'order' || %(seed)s || lpad(p.n::text, 8, '0') || repeat('x', 20),
           encode(sha256((%(seed)s || '-' || p.n)::bytea), 'hex'), now()
    from written w join numbered p on p.id = w.contact_id, channel c returning id, contact_id, click_hash
), bought as (
    insert into conversions (id, workspace, contact_id, channel_id, event_name, occurred_at, value, currency, order_id,
                             source, touchpoint_id, attribution, business_key, click_hash)
    select m.digest::uuid, c.workspace, p.id, c.id, 'Purchase', %(at)s, 10 + p.n, 'USD', 'order-' || p.n,
           'api', t.id, 'click', 'order:faults:' || p.n, t.click_hash
    from numbered p join numbers m on m.n = p.n join touched t on t.contact_id = p.id, channel c
    returning id, business_key, occurred_at
)
insert into deliveries (conversion_id, dataset_id, event_name, business_key, event_id, event_time, has_value, state,
                        next_attempt_at, batch_cap)
select b.id, c.dataset_id, 'Purchase', b.business_key, replace(b.id::text, '-', ''), b.occurred_at, true, 'pending',
       now(), 10
from bought b, channel c
"""


def add_purchases(
    conn: psycopg.Connection[Any],
    target: Target,
    *,
    seed: int,
    first: int,
    count: int,
    at: datetime | None = None,
) -> list[str]:
    """Puts `count` purchases, numbered from `first`, into the tables as their API will; their event ids.

    All or none of them, and the same ids for the same numbers: after a commit whose answer was lost, look.
    """
    conn.execute(
        _PURCHASES,
        {
            "seed": str(seed),
            "first": first,
            "last": first + count - 1,
            "channel": target.name,
            "canary": CLICK_CANARY,
            "at": at or datetime.now(UTC),
        },
    )
    rows = conn.execute(
        "select c.id from conversions c where c.event_name = 'Purchase' and c.business_key = any(%s)",
        [[f"order:faults:{number}" for number in range(first, first + count)]],
    ).fetchall()
    return [UUID(str(row[0])).hex for row in rows]
