"""One task for each webhook: remember the message, post its event to Meta, try again later if that fails."""

import os
import time
from typing import Any

import psycopg
import requests
from celery import Celery, Task
from celery.signals import worker_process_init

app = Celery("naive", broker=os.environ["REDIS_URL"])
app.conf.update(task_acks_late=True, task_ignore_result=True, worker_prefetch_multiplier=1)

_URL = f"{os.environ.get('GRAPH_URL', '')}/v25.0/{os.environ.get('NAIVE_DATASET', '')}/events"


class _Handles:
    """Opened once in each process."""

    conn: psycopg.Connection[Any]
    http: requests.Session


@worker_process_init.connect
def _open(**_: Any) -> None:
    _Handles.conn = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
    _Handles.http = requests.Session()
    _Handles.http.headers["Authorization"] = f"Bearer {os.environ['NAIVE_META_TOKEN']}"


@app.task(bind=True, max_retries=10)
def report(self: "Task[Any, Any]", payload: dict[str, Any]) -> None:
    for message in payload.get("messages", []):
        ad = message.get("context", {}).get("ad") or {}
        if message.get("from_me") or not ad.get("ctwa"):
            continue
        row = _Handles.conn.execute(
            "insert into naive_events (message_id, phone, click_id) values (%s, %s, %s)"
            " on conflict (message_id) do update set phone = excluded.phone returning state",
            [message["id"], message["from"], ad["ctwa"]],
        ).fetchone()
        if row == ("sent",):
            continue
        try:
            answer = _Handles.http.post(_URL, json={"data": [_event(message, ad["ctwa"])]}, timeout=20)
            answer.raise_for_status()
        except requests.RequestException as error:
            raise self.retry(exc=error, countdown=2**self.request.retries) from error
        _Handles.conn.execute(
            "update naive_events set state = 'sent', sent_at = clock_timestamp() where message_id = %s", [message["id"]]
        )


def _event(message: dict[str, Any], click_id: str) -> dict[str, Any]:
    return {
        "event_name": "LeadSubmitted",
        "event_time": int(message.get("timestamp") or time.time()),
        "event_id": message["id"],
        "action_source": "business_messaging",
        "messaging_channel": "whatsapp",
        "user_data": {"whatsapp_business_account_id": os.environ["NAIVE_WABA"], "ctwa_clid": click_id},
    }
