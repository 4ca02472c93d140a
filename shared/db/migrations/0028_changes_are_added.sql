-- A changed conversion is worked into the days it counts on by what it changes there: its note says how it was before.

-- `changed`: nothing about the conversion is different but this. `was` holds the columns of its row as they were, and
-- `change_id` is the row of `conversion_changes` that was not there.
alter table roi_changes add column changed boolean not null default false, add column was jsonb, add column change_id uuid;
drop index roi_changes_fresh, roi_changes_stale;
create index roi_changes_single on roi_changes (id) where fresh or changed;
create index roi_changes_stale on roi_changes (id) where not (fresh or changed);
create index roi_changes_conversion on roi_changes (conversion_id) where not fresh and conversion_id is not null;
grant update (changed) on roi_changes to ctwa_worker;

create or replace function roi_conversions_updated() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into roi_changes (workspace, moment, conversion_id, touchpoint_id, changed, was)
        select b.workspace, b.occurred_at, b.id, b.touchpoint_id, true, jsonb_build_object(
            'contact_id', b.contact_id, 'touchpoint_id', b.touchpoint_id, 'occurred_at', b.occurred_at,
            'channel_id', b.channel_id, 'source', b.source, 'event_name', b.event_name, 'value', b.value,
            'currency', b.currency, 'cost', b.cost, 'is_test', b.is_test)
        from changed n join before b on b.id = n.id
        where (b.contact_id, b.touchpoint_id, b.occurred_at, b.channel_id, b.source, b.event_name, b.value, b.currency,
               b.cost, b.is_test)
           is distinct from (n.contact_id, n.touchpoint_id, n.occurred_at, n.channel_id, n.source, n.event_name,
                             n.value, n.currency, n.cost, n.is_test);
    return null;
end $$;

drop trigger roi_inserted on conversion_changes;
drop trigger roi_updated on conversion_changes;
drop function roi_changes_changed();
create function roi_conversion_changes_inserted() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into roi_changes (workspace, moment, conversion_id, changed, change_id)
        select c.workspace, c.occurred_at, c.id, true, n.id from changed n join conversions c on c.id = n.conversion_id;
    return null;
end $$;
-- What was said beside a value may be wiped: no figure shows it.
create function roi_conversion_changes_updated() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into roi_changes (workspace, moment, conversion_id)
        select c.workspace, c.occurred_at, c.id
        from changed n join before b on b.id = n.id join conversions c on c.id = n.conversion_id
        where (b.kind, b.value, b.currency, b.occurred_at) is distinct from (n.kind, n.value, n.currency, n.occurred_at);
    return null;
end $$;
create trigger roi_inserted after insert on conversion_changes referencing new table as changed
    for each statement execute function roi_conversion_changes_inserted();
create trigger roi_updated after update on conversion_changes referencing old table as before new table as changed
    for each statement execute function roi_conversion_changes_updated();
