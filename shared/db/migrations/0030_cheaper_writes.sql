-- What each event costs in Postgres, less of it: docs/decisions/0037.

-- The lease is renewed before each request, and with an index on it that wrote every index of the row anew. What is
-- being sent at any moment is little: `deliveries_in_flight` holds all of it, and is read whole for leases that ran out.
drop index deliveries_leased;

-- An attempt is finished once, mostly a moment after it was written: there is room for that on its page.
alter table attempts set (fillfactor = 70);

-- What endpoints are told is asked for once a statement, not once a row, and not at all where no endpoint wants it.
drop trigger touchpoints_announced on touchpoints;
drop trigger conversions_announced on conversions;
drop trigger conversions_reattributed on conversions;
drop trigger deliveries_announced_at_birth on deliveries;
drop trigger deliveries_announced on deliveries;
drop function announce_touchpoint();
drop function announce_conversion();
drop function announce_delivery();
drop function announce(text, text, bigint, bigint, uuid, bigint, jsonb, timestamptz);

create function wanted_by_endpoints(what text) returns boolean
language plpgsql stable security definer set search_path = public, pg_temp as $$
begin
    return exists (select from endpoints where disabled_at is null and what = any(events));
end $$;

create function announce_touchpoints() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if wanted_by_endpoints('touchpoint.created') then
        insert into notifications (endpoint_id, event, contact_id, touchpoint_id, fact, occurred_at)
            select e.id, 'touchpoint.created', t.contact_id, t.id, '{}', t.occurred_at
            from changed t join channels c on c.id = t.channel_id
            join endpoints e on e.workspace = c.workspace and e.disabled_at is null
                 and 'touchpoint.created' = any(e.events)
            where not t.is_test and t.source = 'message' order by t.id, e.id;
    end if;
    return null;
end $$;
create trigger announced after insert on touchpoints referencing new table as changed
    for each statement execute function announce_touchpoints();

create function announce_conversions() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if not wanted_by_endpoints('conversion.attributed') then
        return null;
    elsif tg_op = 'INSERT' then
        insert into notifications (endpoint_id, event, contact_id, touchpoint_id, conversion_id, fact, occurred_at)
            select e.id, 'conversion.attributed', n.contact_id, n.touchpoint_id, n.id,
                   jsonb_build_object('attribution', n.attribution), n.attributed_at
            from changed n
            join endpoints e on e.workspace = n.workspace and e.disabled_at is null
                 and 'conversion.attributed' = any(e.events)
            where not n.is_test and n.touchpoint_id is not null order by n.id, e.id;
    else
        insert into notifications (endpoint_id, event, contact_id, touchpoint_id, conversion_id, fact, occurred_at)
            select e.id, 'conversion.attributed', n.contact_id, n.touchpoint_id, n.id,
                   jsonb_build_object('attribution', n.attribution), n.attributed_at
            from changed n join before b on b.id = n.id
            join endpoints e on e.workspace = n.workspace and e.disabled_at is null
                 and 'conversion.attributed' = any(e.events)
            where not n.is_test and n.touchpoint_id is not null and n.touchpoint_id is distinct from b.touchpoint_id
            order by n.id, e.id;
    end if;
    return null;
end $$;
create trigger announced after insert on conversions referencing new table as changed
    for each statement execute function announce_conversions();
create trigger announced_again after update on conversions referencing old table as before new table as changed
    for each statement execute function announce_conversions();

create function announce_deliveries() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if not wanted_by_endpoints('delivery.finished') then
        return null;
    elsif tg_op = 'INSERT' then
        insert into notifications (endpoint_id, event, contact_id, touchpoint_id, conversion_id, delivery_id, fact,
                                   occurred_at)
            select e.id, 'delivery.finished', c.contact_id, c.touchpoint_id, c.id, n.id,
                   jsonb_build_object('state', n.state, 'reason', n.reason), n.finished_at
            from changed n join conversions c on c.id = n.conversion_id
            join endpoints e on e.workspace = c.workspace and e.disabled_at is null
                 and 'delivery.finished' = any(e.events)
            where not n.is_test and n.finished_at is not null order by n.id, e.id;
    else
        insert into notifications (endpoint_id, event, contact_id, touchpoint_id, conversion_id, delivery_id, fact,
                                   occurred_at)
            select e.id, 'delivery.finished', c.contact_id, c.touchpoint_id, c.id, n.id,
                   jsonb_build_object('state', n.state, 'reason', n.reason), n.finished_at
            from changed n join before b on b.id = n.id join conversions c on c.id = n.conversion_id
            join endpoints e on e.workspace = c.workspace and e.disabled_at is null
                 and 'delivery.finished' = any(e.events)
            where not n.is_test and n.finished_at is not null and n.state is distinct from b.state
            order by n.id, e.id;
    end if;
    return null;
end $$;
create trigger announced_at_birth after insert on deliveries referencing new table as changed
    for each statement execute function announce_deliveries();
create trigger announced after update on deliveries referencing old table as before new table as changed
    for each statement execute function announce_deliveries();

revoke execute on function
    wanted_by_endpoints(text), announce_touchpoints(), announce_conversions(), announce_deliveries()
from public;

-- The first click of somebody who is new in this transaction counts for conversions that are new in it too: those are
-- added to their days by notes of their own.
create or replace function roi_first_touches_inserted() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into roi_changes (workspace, moment, conversion_id, touchpoint_id)
        with everybody as materialized (
            select g.id from changed f join contacts o on o.id = f.contact_id and o.created_at <> now()
            join contacts g on g.id = coalesce(o.merged_into, o.id) or g.merged_into = coalesce(o.merged_into, o.id)
        )
        select c.workspace, c.occurred_at, c.id, f.touchpoint_id
        from everybody e join conversions c on c.contact_id = e.id
        left join (first_touches f join everybody o on o.id = f.contact_id) on true;
    return null;
end $$;
