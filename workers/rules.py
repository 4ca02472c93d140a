"""Rules in intake: what each makes of what happened, conversions, stages and tags, in the transaction that stores it.

A rule that fails is counted, shown by `ctwa rules`, and stops nothing.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from celery.exceptions import SoftTimeLimitExceeded
from psycopg.errors import DataError, IntegrityError

from shared.db.channels import IntakeChannel, workspace_channels
from shared.db.contact_changes import ContactChange, Standing, standing
from shared.db.contacts import family_of, last_channel_of, workspace_of
from shared.db.rules import record_failures
from shared.domain.business_keys import Once
from shared.domain.rules import Facts, Fired, Scope, Trigger, fires
from shared.domain.submissions import Person, SubmittedConversion
from shared.ids import uuid7
from shared.logs import get_logger
from workers.contact_changes import Happened, change_contact
from workers.conversions import store_conversions
from workers.metrics import RULES
from workers.reported import Reported
from workers.rule_book import LiveRule, triggers

log = get_logger(__name__)

#: Looking at one message takes a rule microseconds. One that takes so long is left out for the rest of the batch.
SLOW_SECONDS = 0.25

_ONCE = {
    Scope.CLICK: Once.REPORTED,
    Scope.CONTACT: Once.CONTACT,
    Scope.MESSAGE: Once.MESSAGE,
    Scope.ORDER: Once.REPORTED,
}


@dataclass(frozen=True, kw_only=True, repr=False)
class Occasion:
    """Something that happened with a contact. `row_id` gives the message's row, storing it if need be.

    `is_by_rule`: a rule made the stage or tag. What rules make of that is stored, and offered to no rule again, so that
    two rules can't drive each other on.
    """

    workspace: str
    channel_id: int | None
    contact_id: int
    facts: Facts
    occurred_at: datetime
    received_at: datetime
    is_test: bool
    is_by_rule: bool = False
    message_id: str | None = None
    row_id: Callable[[], int | None] = lambda: None


class RuleRun:
    """The rules at work on one batch, in its transaction. `ready` counts deliveries that can be sent now."""

    def __init__(self, conn: psycopg.Connection[Any], rules: tuple[LiveRule, ...], *, now: datetime) -> None:
        self._conn = conn
        self._rules = rules
        self._now = now
        self._channels: dict[str, Mapping[int, IntakeChannel]] = {}
        self._failures: Counter[int] = Counter()
        self._why: dict[int, str] = {}
        self._slow: set[int] = set()
        self.triggers = triggers(rules)
        self.ready = 0

    def consider(self, occasion: Occasion) -> None:
        """Stores what every rule makes that fires on this occasion."""
        for rule in self._rules:
            if rule.definition.on in occasion.facts.happened and _is_for(rule, occasion):
                fired = self._look(rule, occasion.facts)
                if fired is None:
                    continue
                if fired.event_name is not None:
                    self._store(rule, fired.event_name, fired, occasion)
                if fired.marks.changes():
                    self._mark(rule, fired, occasion)

    def offer(self, _conn: psycopg.Connection[Any], happened: Happened) -> int:
        """Considers a stage that became, or a tag that was added; 0, for what can be sent now is in `ready`."""
        self._offer(happened, is_by_rule=False)
        return 0

    def _offer(self, happened: Happened, *, is_by_rule: bool) -> None:
        trigger = {"stage": Trigger.STAGE, "tag_added": Trigger.TAG}.get(happened.change.kind)
        if trigger not in self.triggers or trigger is None or happened.change.value is None:
            return
        contact_id = happened.now.contact_id
        workspace, is_test = workspace_of(self._conn, contact_id)
        self.consider(
            Occasion(
                workspace=workspace,
                channel_id=last_channel_of(self._conn, contact_id),
                contact_id=contact_id,
                facts=Facts(happened=frozenset({trigger}), names=(happened.change.value,)),
                occurred_at=happened.change.occurred_at,
                received_at=self._now,
                is_test=is_test,
                is_by_rule=is_by_rule,
            )
        )

    def finish(self) -> None:
        """Writes down which rules failed."""
        record_failures(self._conn, [(rule_id, count, self._why[rule_id]) for rule_id, count in self._failures.items()])

    def _look(self, rule: LiveRule, facts: Facts) -> Fired | None:
        if rule.id in self._slow:
            return None
        started = time.perf_counter()
        try:
            fired = fires(rule.definition, facts)
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:  # noqa: BLE001 - a defect of ours or of the rule: its message is stored all the same
            self._fail(rule, "defect", type(error).__name__)
            return None
        if time.perf_counter() - started > SLOW_SECONDS:
            self._slow.add(rule.id)
            self._fail(rule, "too_slow")
        return fired

    def _store(self, rule: LiveRule, event_name: str, fired: Fired, occasion: Occasion) -> None:
        try:
            with self._conn.transaction():
                [stored] = store_conversions(
                    self._conn,
                    [_reported(rule, event_name, fired, occasion)],
                    channels=self._channels_of(occasion.workspace),
                    now=self._now,
                )
        except (DataError, IntegrityError, LookupError, ValueError) as error:
            self._fail(rule, "cannot_be_stored", type(error).__name__)
            return
        if stored.state == "refused":
            self._fail(rule, stored.reason or "refused")
            return
        self.ready += stored.ready
        RULES.labels("fired" if stored.state == "stored" else "repeated").inc()
        log.info(
            "rule fired",
            rule_id=rule.id,
            rule_version=rule.version,
            conversion_id=str(stored.conversion_id),
            state=stored.state,
        )

    def _mark(self, rule: LiveRule, fired: Fired, occasion: Occasion) -> None:
        """Writes onto the contact what doesn't hold yet, and offers it to the rules once."""
        try:
            with self._conn.transaction():
                holds = standing(self._conn, family_of(self._conn, occasion.contact_id)[0])
                changes = _changes(rule, fired, occasion, holds)
                changed = change_contact(self._conn, changes) if changes else None
        except (DataError, IntegrityError, LookupError) as error:
            self._fail(rule, "cannot_be_stored", type(error).__name__)
            return
        if changed is None or not changed.new:
            RULES.labels("repeated").inc()
            return
        RULES.labels("fired").inc()
        log.info("rule changed a contact", rule_id=rule.id, rule_version=rule.version, contact_id=holds.contact_id)
        if not occasion.is_by_rule:
            for happened in changed.happened:
                self._offer(happened, is_by_rule=True)

    def _fail(self, rule: LiveRule, reason: str, error: str | None = None) -> None:
        self._failures[rule.id] += 1
        self._why[rule.id] = reason
        RULES.labels("failed").inc()
        log.error("rule failed", rule_id=rule.id, rule_version=rule.version, reason=reason, error=error)

    def _channels_of(self, workspace: str) -> Mapping[int, IntakeChannel]:
        if workspace not in self._channels:
            self._channels |= workspace_channels(self._conn, [workspace])
        return self._channels[workspace]


def _is_for(rule: LiveRule, occasion: Occasion) -> bool:
    """Whether the rule is at work where and when this happened. What came before it was switched on is only tried."""
    return (
        rule.workspace == occasion.workspace
        and rule.channel_id in (None, occasion.channel_id)
        and rule.enabled_at <= occasion.received_at
    )


def _changes(rule: LiveRule, fired: Fired, occasion: Occasion, holds: Standing) -> list[ContactChange]:
    present = {("stage", holds.stage), *(("tag_added", tag) for tag in holds.tags)}
    return [
        ContactChange(
            contact_id=holds.contact_id,
            kind=kind,
            value=value,
            occurred_at=occasion.occurred_at,
            source="rule",
            actor=f"rule:{rule.id} version {rule.version}",
            rule_id=rule.id,
        )
        for kind, value in fired.marks.changes()
        if (value in holds.tags if kind == "tag_removed" else (kind, value) not in present)
    ]


def _reported(rule: LiveRule, event_name: str, fired: Fired, occasion: Occasion) -> Reported:
    return Reported(
        id=uuid7(),
        workspace=occasion.workspace,
        source="rule",
        contact_id=occasion.contact_id,
        item=SubmittedConversion(
            person=Person(contact_id=occasion.contact_id),
            event_name=event_name,
            occurred_at=occasion.occurred_at,
            value=fired.value,
            currency=fired.currency,
            order_id=fired.order_id,
            contents=fired.contents,
        ),
        channel_id=occasion.channel_id,
        is_test=occasion.is_test,
        once=_ONCE[fired.once],
        rule_id=rule.id,
        rule_version=rule.version,
        message_id=occasion.row_id(),
        provider_message_id=occasion.message_id,
        due_after=fired.delay,
    )
