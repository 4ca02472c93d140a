"""Fairness: what one dataset that hangs, or one channel that floods, costs another channel's events."""

from contextlib import ExitStack
from threading import Thread

from tests.bench.bodies import APART, requests_to
from tests.bench.client import post_all
from tests.bench.harness import Figure, in_turns, percentile, ratio
from tests.bench.results import Found, Part, Sizes, Table, Target
from tests.bench.rig import Product, servers_in, set_latency
from tests.faults.wait import wait_until

_RATE = 10.0
_FLOOD = 10


class _Pair:
    """Two channels with a dataset each; the second one's events are timed."""

    def __init__(self, product: Product, seconds: float) -> None:
        self._product = product
        self._servers = product.servers
        self._seconds = seconds
        self._number = 0

    def alone(self) -> list[float]:
        """Both at the same low rate."""
        return self._measure(_RATE)

    def beside_a_hanging_dataset(self) -> list[float]:
        """The first dataset takes requests and never answers."""
        meta_id = self._servers.targets[0].meta_id
        self._servers.sandbox("POST", "faults", {"kind": "hang_before_reading", "dataset": meta_id})
        try:
            return self._measure(_RATE)
        finally:
            self._servers.sandbox("DELETE", "faults")
            self._forget_the_first()

    def beside_a_flood(self) -> list[float]:
        """The first channel gets ten times as much."""
        return self._measure(_FLOOD * _RATE)

    def _measure(self, rate_of_the_first: float) -> list[float]:
        """Seconds from each webhook of the second channel to Meta's answer."""
        first, second = self._servers.targets
        counts = int(self._seconds * rate_of_the_first), int(self._seconds * _RATE)
        requests = [
            list(requests_to(target, first=self._number + place * APART, count=count))
            for place, (target, count) in enumerate(zip((first, second), counts, strict=True))
        ]
        self._number += max(counts)
        since = self._product.now()
        other = Thread(
            target=post_all,
            args=(self._product.port, requests[0]),
            kwargs={"connections": 8, "rate": rate_of_the_first},
        )
        other.start()
        self._product.post(requests[1], connections=4, rate=_RATE)
        other.join()
        self._product.wait_accepted(second, counts[1], since=since, seconds=90)
        found = self._times(since)
        wait_until("intake has read all", self._has_read_all, seconds=60)
        return found

    def _times(self, since: str) -> list[float]:
        with self._product.connection() as conn:
            rows = conn.execute(
                "select extract(epoch from d.accepted_at - w.received_at)::float8 from deliveries d"
                " join datasets s on s.id = d.dataset_id join conversions c on c.id = d.conversion_id"
                " join touchpoints t on t.id = c.touchpoint_id join messages m on m.id = t.message_id"
                " join webhooks w on w.id = m.webhook_id"
                " where s.name = %s and d.created_at >= %s::timestamptz and d.state = 'accepted'",
                [self._servers.targets[1].name, since],
            ).fetchall()
        return [seconds for (seconds,) in rows]

    def _has_read_all(self) -> bool:
        return not self._product.one("select count(*) from webhooks where state in ('new', 'claimed')")

    def _forget_the_first(self) -> None:
        """Ends what the hanging left behind, so that the next round begins as the first did."""
        first = self._servers.targets[0].name
        with self._product.connection() as conn:
            conn.execute(
                "update deliveries set state = 'skipped', reason = 'disabled', next_attempt_at = null,"
                " lease_token = null, lease_until = null, unknown_since = null, finished_at = now()"
                " where state in ('pending', 'sending', 'unknown')"
                " and dataset_id = (select id from datasets where name = %s)",
                [first],
            )
            conn.execute(
                "update datasets set pause_reason = null, paused_at = null, paused_until = null, failures = 0,"
                " pauses = 0 where name = %s",
                [first],
            )


def run(sizes: Sizes) -> Found:
    """The three situations in turns."""
    seconds = sizes.pick(20.0, 6.0)
    with ExitStack() as stack:
        product = Product(stack.enter_context(servers_in(sizes.folder / "servers")))
        stack.callback(product.close)
        product.start()
        set_latency(product.servers, 0.05)
        pair = _Pair(product, seconds)
        found = in_turns(
            {
                "both at 10 webhooks/s": pair.alone,
                "the other's dataset hangs": pair.beside_a_hanging_dataset,
                "the other's channel gets 100 webhooks/s": pair.beside_a_flood,
            },
            rounds=sizes.rounds,
            say=sizes.say,
        )
    p99 = {name: [1000 * percentile(one, 0.99) for one in runs] for name, runs in found.items()}
    alone, hanging, flood = p99.values()
    rows: list[list[str | Figure]] = [
        [name, Figure.of([1000 * percentile(one, 0.5) for one in runs]), Figure.of(p99[name]), ratio(p99[name], alone)]
        for name, runs in found.items()
    ]
    return Found(
        sizes=f"{sizes.rounds} rounds of {seconds:.0f} s for each situation",
        tables=[Table(["webhook to accepted, of one channel", "p50 ms", "p99 ms", "p99 × alone"], rows)],
        targets=[
            Target("p99 beside a dataset that hangs, × without", "at most", 1.5, ratio(hanging, alone)),
            Target("p99 beside a ten-fold flood on another channel, × without", "at most", 2, ratio(flood, alone)),
        ],
    )


PART = Part(
    name="fairness",
    title="Fairness",
    method="""
Two channels, each with a dataset of its own, at 10 webhooks a second each; Meta takes 50 ms. The second channel's
events are timed, from the webhook to Meta's answer: with the first one well, with the first one's dataset taking
requests and never answering, and with ten times as many webhooks on the first one's channel.
""",
    limits="""
A dataset that hangs holds two of the eight sending threads, until its deadline of 20 s, and then pauses. A flood
takes cores, and no more than its share of each batch of intake.
""",
    run=run,
)
