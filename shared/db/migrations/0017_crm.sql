-- Handing over to other systems: endpoints that want to know, and a notification to one endpoint about one fact.

create table endpoints (
    id bigint generated always as identity primary key,
    workspace text not null references workspaces (name),
    name text not null check (length(name) between 1 and 100),
    url text not null check (url ~ '^https?://'),
    events text[] not null check (cardinality(events) > 0
        and events <@ array['touchpoint.created', 'conversion.attributed', 'delivery.finished']),
    include text[] not null default '{}' check (include <@ array['phone']),
    secrets bytea not null,                       -- sealed under SECRET_KEYS: JSON list, current first
    previous_until timestamptz,                   -- until then the secret before signs as well
    allow_private boolean not null default false,
    disabled_at timestamptz,
    disabled_reason text,
    failing_since timestamptz,                    -- nothing arrived since then
    failures integer not null default 0,          -- in a row
    rest_until timestamptz,                       -- nothing is tried before
    last_problem text,
    last_arrived_at timestamptz,
    last_claimed_at timestamptz,
    created_by text not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (workspace, name),
    check ((disabled_at is null) = (disabled_reason is null))
);

-- Ids only: what is sent is read when it is sent, so that nobody's data waits here and an erasure reaches it.
create table notifications (
    id uuid primary key default gen_random_uuid(),
    endpoint_id bigint not null references endpoints,
    event text not null check (event in ('touchpoint.created', 'conversion.attributed', 'delivery.finished', 'test')),
    contact_id bigint,
    touchpoint_id bigint,
    conversion_id uuid,
    delivery_id bigint,
    fact jsonb not null default '{}',             -- what a delivery had become: it may become something else since
    occurred_at timestamptz not null,
    state text not null default 'pending' check (state in ('pending', 'sending', 'arrived', 'failed')),
    reason text,
    attempts integer not null default 0,
    next_attempt_at timestamptz default now(),
    lease_token uuid,
    lease_until timestamptz,
    last_status integer,
    finished_at timestamptz,
    created_at timestamptz not null default now(),
    check ((state = 'pending') = (next_attempt_at is not null)),
    check ((state = 'sending') = (lease_token is not null)),
    check ((state = 'sending') = (lease_until is not null)),
    check ((state in ('arrived', 'failed')) = (finished_at is not null))
) with (fillfactor = 70);
create index notifications_due on notifications (endpoint_id, next_attempt_at, id) where state = 'pending';
create index notifications_leased on notifications (lease_until) where state = 'sending';
create index notifications_newest on notifications (created_at, id);
create index notifications_finished on notifications (finished_at) where finished_at is not null;

-- Written by triggers, in the transaction of the fact, whatever statement makes it: a notification can't be forgotten, nor
-- be there for a fact that isn't. With no endpoint that wants it, a trigger costs one look at a table of a few rows.
create function announce(
    of_workspace text, what text, contact bigint, touchpoint bigint, conversion uuid, delivery bigint, told jsonb,
    at timestamptz
) returns void language sql security definer set search_path = public, pg_temp as $$
    insert into notifications (endpoint_id, event, contact_id, touchpoint_id, conversion_id, delivery_id, fact, occurred_at)
    select e.id, what, contact, touchpoint, conversion, delivery, told, at
    from endpoints e where e.workspace = of_workspace and e.disabled_at is null and what = any(e.events)
$$;

create function announce_touchpoint() returns trigger language plpgsql security definer
set search_path = public, pg_temp as $$
begin
    perform announce(c.workspace, 'touchpoint.created', new.contact_id, new.id, null, null, '{}', new.occurred_at)
    from channels c where c.id = new.channel_id;
    return null;
end $$;
create trigger touchpoints_announced after insert on touchpoints for each row
    when (not new.is_test and new.source = 'message') execute function announce_touchpoint();

create function announce_conversion() returns trigger language plpgsql security definer
set search_path = public, pg_temp as $$
begin
    perform announce(new.workspace, 'conversion.attributed', new.contact_id, new.touchpoint_id, new.id, null,
                     jsonb_build_object('attribution', new.attribution), new.attributed_at);
    return null;
end $$;
create trigger conversions_announced after insert on conversions for each row
    when (not new.is_test and new.touchpoint_id is not null) execute function announce_conversion();
create trigger conversions_reattributed after update of touchpoint_id on conversions for each row
    when (not new.is_test and new.touchpoint_id is not null and new.touchpoint_id is distinct from old.touchpoint_id)
    execute function announce_conversion();

create function announce_delivery() returns trigger language plpgsql security definer
set search_path = public, pg_temp as $$
begin
    perform announce(c.workspace, 'delivery.finished', c.contact_id, c.touchpoint_id, c.id, new.id,
                     jsonb_build_object('state', new.state, 'reason', new.reason), new.finished_at)
    from conversions c where c.id = new.conversion_id;
    return null;
end $$;
create trigger deliveries_announced_at_birth after insert on deliveries for each row
    when (not new.is_test and new.finished_at is not null) execute function announce_delivery();
create trigger deliveries_announced after update of state on deliveries for each row
    when (not new.is_test and new.finished_at is not null and new.state is distinct from old.state)
    execute function announce_delivery();
revoke execute on function
    announce(text, text, bigint, bigint, uuid, bigint, jsonb, timestamptz), announce_touchpoint(), announce_conversion(),
    announce_delivery() from public;

grant select on endpoints, notifications to ctwa_worker, ctwa_console;
grant update (disabled_at, disabled_reason, failing_since, failures, rest_until, last_problem, last_arrived_at,
    last_claimed_at, updated_at) on endpoints to ctwa_worker;
grant update, delete on notifications to ctwa_worker;
grant insert, update, delete on endpoints, notifications to ctwa_console;
