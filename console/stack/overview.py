"""What runs, where, and with which demo channels: for whoever has just started the stack."""

from typing import Any

import psycopg

from console.setup.channels import webhook_url
from console.team.links import first_owner_link
from shared.db.channels import all_channels
from shared.local.stack import Stack


def overview(stack: Stack) -> dict[str, Any]:
    """{state_dir, pid, logs, addresses, urls, first_owner_url, flower: {user, password}, channels: [{name, provider,
    webhook_url}]}.

    The channels are those marked as test channels; `first_owner_url` is a new one-time link to the console while it
    has no user, then null. Raises psycopg.Error when Postgres has gone meanwhile.
    """
    environment = stack.extra["environment"]
    with psycopg.connect(environment["DATABASE_URL"]) as conn:
        channels = [
            {
                "name": channel.name,
                "provider": channel.provider,
                "webhook_url": webhook_url(environment["PUBLIC_URL"], channel.key),
            }
            for channel in all_channels(conn)
            if channel.is_test
        ]
        token = first_owner_link(conn, actor="ctwa up")
    return {
        "state_dir": str(stack.state_dir),
        "pid": stack.pid,
        "logs": str(stack.state_dir / "logs"),
        "addresses": dict(stack.addresses),
        "urls": dict(stack.urls),
        "first_owner_url": f"{environment['CONSOLE_URL']}/link/{token}" if token else None,
        "flower": dict(stack.extra["flower"]),
        "channels": channels,
    }
