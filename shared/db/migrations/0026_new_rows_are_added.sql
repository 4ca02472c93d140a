-- What is new is added to the days it counts on, one row at a time; only what changes has whole days added up again.

-- `fresh`: nothing was there before. The conversion, else the click, else the message is what is new.
alter table roi_changes add column message_id bigint, add column fresh boolean not null default false;
create index roi_changes_fresh on roi_changes (id) where fresh;
create index roi_changes_stale on roi_changes (id) where not fresh;

drop index roi_daily_days;
create unique index roi_daily_key on roi_daily (
    workspace, zone, day, basis, model, channel_id, ad_id, class, placement, event_name, currency, is_test
);
alter table roi_daily set (fillfactor = 70);
grant update on roi_daily to ctwa_worker;

create or replace function roi_conversions_inserted() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into roi_changes (workspace, moment, conversion_id, fresh) select workspace, occurred_at, id, true from changed;
    return null;
end $$;

-- What no figure shows may change as it likes: a click id that was wiped, or came.
create or replace function roi_conversions_updated() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    conversions uuid[] := array(
        select n.id from changed n join before b on b.id = n.id
        where (b.workspace, b.contact_id, b.touchpoint_id, b.occurred_at, b.channel_id, b.source, b.event_name,
               b.value, b.currency, b.cost, b.is_test)
           is distinct from (n.workspace, n.contact_id, n.touchpoint_id, n.occurred_at, n.channel_id, n.source,
                             n.event_name, n.value, n.currency, n.cost, n.is_test)
    );
begin
    insert into roi_changes (workspace, moment, conversion_id, touchpoint_id)
        select workspace, occurred_at, id, touchpoint_id from before where id = any(conversions)
        union all select workspace, occurred_at, id, null from changed where id = any(conversions);
    return null;
end $$;

create or replace function roi_touchpoints_inserted() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into roi_changes (workspace, moment, touchpoint_id, fresh)
        select ch.workspace, t.occurred_at, t.id, true from changed t join channels ch on ch.id = t.channel_id;
    return null;
end $$;

drop trigger roi_updated on touchpoints;
create or replace function roi_touchpoints_updated() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    clicks bigint[] := array(
        select n.id from changed n join before b on b.id = n.id
        where (b.contact_id, b.channel_id, b.class, b.ad_id, b.source_app, b.occurred_at, b.is_test)
           is distinct from (n.contact_id, n.channel_id, n.class, n.ad_id, n.source_app, n.occurred_at, n.is_test)
    );
begin
    if clicks = '{}' then
        return null;
    end if;
    insert into roi_changes (workspace, moment)
        select ch.workspace, t.occurred_at
        from (select * from before union all select * from changed) t join channels ch on ch.id = t.channel_id
        where t.id = any(clicks);
    -- Under the first click a conversion may count for a touchpoint that isn't its own.
    insert into roi_changes (workspace, moment, conversion_id)
        select c.workspace, c.occurred_at, c.id
        from changed t join contacts o on o.id = t.contact_id
        join contacts g on g.id = coalesce(o.merged_into, o.id) or g.merged_into = coalesce(o.merged_into, o.id)
        join conversions c on c.contact_id = g.id
        where t.id = any(clicks);
    return null;
end $$;
create trigger roi_updated after update on touchpoints referencing old table as before new table as changed
    for each statement execute function roi_touchpoints_updated();

-- A person counts once, by their first message. Is the person new, then nobody else can be writing an earlier one
-- down meanwhile, for whoever meets the same name waits; of others the whole day is added up again.
create or replace function roi_messages_inserted() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into roi_changes (workspace, moment, message_id, fresh)
        select ch.workspace, least(coalesce(m.sent_at, m.received_at), m.received_at), m.id, o.created_at = now()
        from changed m join channels ch on ch.id = m.channel_id join contacts o on o.id = m.contact_id
        where m.class = 'organic' and m.direction = 'in'
          and not exists (
              select from messages e
              where e.contact_id = m.contact_id and e.direction = 'in'
                and (least(coalesce(e.sent_at, e.received_at), e.received_at), e.id)
                  < (least(coalesce(m.sent_at, m.received_at), m.received_at), m.id)
          );
    -- One that comes after later ones of the same person takes their place as the first.
    insert into roi_changes (workspace, moment)
        select distinct ch.workspace, least(coalesce(l.sent_at, l.received_at), l.received_at)
        from changed m join messages l on l.contact_id = m.contact_id
             and least(coalesce(l.sent_at, l.received_at), l.received_at)
               > least(coalesce(m.sent_at, m.received_at), m.received_at)
        join channels ch on ch.id = l.channel_id
        where l.class = 'organic' and l.direction = 'in' and m.direction = 'in'
          and l.id not in (select id from changed);
    return null;
end $$;

-- An ad message that was announced without its ad block first has counted as one of somebody who wrote on their own.
create function roi_message_class_changed() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into roi_changes (workspace, moment)
        select ch.workspace, least(coalesce(new.sent_at, new.received_at), new.received_at)
        from channels ch where ch.id = new.channel_id;
    return null;
end $$;
create trigger roi_class_changed after update on messages
    for each row when (old.class is distinct from new.class) execute function roi_message_class_changed();
