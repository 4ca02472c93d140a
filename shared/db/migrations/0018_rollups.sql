-- What the console's figures are added up from, by day, ad and event. The rows stay the truth: `roi_changes` notes which
-- hours were touched since a day was added up, and whoever reads adds these days up afresh.

create table roi_daily (
    workspace text not null,
    zone text not null,                           -- whose days these are
    day date not null,
    basis text not null check (basis in ('click', 'conversion')),   -- the day of the click, or of the conversion
    model text not null check (model in ('last', 'first')),         -- the touchpoint that a conversion counts for
    channel_id bigint not null,                   -- 0: none
    ad_id text not null,                          -- '': unknown
    class text not null check (class in ('ad', 'ad_without_click_id', 'post', 'organic', 'none')),
    placement text not null,
    event_name text not null,                     -- an inside name, or 'conversation'; 'meta:…' was detected by Meta
    currency text not null,                       -- '': without a value
    is_test boolean not null,
    events bigint not null,
    gross numeric not null,
    refunds numeric not null,
    cost numeric not null,
    costed bigint not null,                       -- how many of the events have a cost
    uncosted numeric not null                     -- what the others earned after refunds: a channel's margin applies
);
create index roi_daily_days on roi_daily (workspace, zone, day);

-- The zones that a workspace's days are added up in.
create table roi_zones (
    workspace text not null,
    zone text not null,
    refreshed_at timestamptz not null default now(),
    primary key (workspace, zone)
);

-- What was touched since: a moment, and the conversion that counts then, and on the days of its clicks. Only ever added
-- to and taken from, so that writers never wait for each other; and cheap to add to, since intake does.
create table roi_changes (
    id bigint generated always as identity primary key,
    workspace text not null,
    moment timestamptz not null,
    conversion_id uuid,
    touchpoint_id bigint                          -- the click it counted for before the change
);
create index roi_changes_workspace on roi_changes (workspace, moment);

create index touchpoints_channel on touchpoints (channel_id, occurred_at);
create index messages_channel on messages (channel_id, received_at) where direction = 'in';

create function roi_conversions_inserted() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into roi_changes (workspace, moment, conversion_id) select workspace, occurred_at, id from changed;
    return null;
end $$;

create function roi_conversions_updated() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into roi_changes (workspace, moment, conversion_id, touchpoint_id)
        select workspace, occurred_at, id, touchpoint_id from before
        union all select workspace, occurred_at, id, null from changed;
    return null;
end $$;

create function roi_changes_changed() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into roi_changes (workspace, moment, conversion_id)
        select c.workspace, c.occurred_at, c.id from changed n join conversions c on c.id = n.conversion_id;
    return null;
end $$;

create function roi_touchpoints_inserted() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into roi_changes (workspace, moment)
        select ch.workspace, t.occurred_at from changed t join channels ch on ch.id = t.channel_id;
    return null;
end $$;

create function roi_touchpoints_updated() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into roi_changes (workspace, moment)
        select ch.workspace, t.occurred_at from changed t join channels ch on ch.id = t.channel_id;
    -- Under the first click a conversion may count for a touchpoint that isn't its own.
    insert into roi_changes (workspace, moment, conversion_id)
        select c.workspace, c.occurred_at, c.id
        from changed t join contacts o on o.id = t.contact_id
        join contacts g on g.id = coalesce(o.merged_into, o.id) or g.merged_into = coalesce(o.merged_into, o.id)
        join conversions c on c.contact_id = g.id;
    return null;
end $$;

-- A first touch or a merge can move every conversion of a person in the view of the first click.
create function roi_first_touches_inserted() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into roi_changes (workspace, moment, conversion_id, touchpoint_id)
        with everybody as (
            select g.id from changed f join contacts o on o.id = f.contact_id
            join contacts g on g.id = coalesce(o.merged_into, o.id) or g.merged_into = coalesce(o.merged_into, o.id)
        )
        select c.workspace, c.occurred_at, c.id, f.touchpoint_id
        from everybody e join conversions c on c.contact_id = e.id
        left join (first_touches f join everybody o on o.id = f.contact_id) on true;
    return null;
end $$;

create function roi_contacts_updated() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if not exists (select from changed n join before b on b.id = n.id
                   where n.merged_into is distinct from b.merged_into) then
        return null;
    end if;
    -- Everybody of the persons that became one, or two again: any of their first clicks may be the one that counted.
    insert into roi_changes (workspace, moment, conversion_id, touchpoint_id)
        with merged as (
            select unnest(array[n.id, n.merged_into, b.merged_into]) as id
            from changed n join before b on b.id = n.id and n.merged_into is distinct from b.merged_into
        ), everybody as (
            select id from merged where id is not null
            union select g.id from merged m join contacts g on g.merged_into = m.id
        )
        select c.workspace, c.occurred_at, c.id, f.touchpoint_id
        from everybody e join conversions c on c.contact_id = e.id
        left join (first_touches f join everybody o on o.id = f.contact_id) on true;
    return null;
end $$;

create function roi_messages_inserted() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into roi_changes (workspace, moment)
        select distinct ch.workspace, date_trunc('hour', m.received_at, 'UTC')
        from changed m join channels ch on ch.id = m.channel_id where m.class = 'organic' and m.direction = 'in'
        union
        -- One that comes after later ones of the same person takes their place as the first.
        select distinct ch.workspace, l.received_at
        from changed m join messages l on l.contact_id = m.contact_id and l.received_at > m.received_at
        join channels ch on ch.id = l.channel_id where l.class = 'organic' and m.direction = 'in';
    return null;
end $$;

create trigger roi_inserted after insert on conversions referencing new table as changed
    for each statement execute function roi_conversions_inserted();
create trigger roi_updated after update on conversions referencing old table as before new table as changed
    for each statement execute function roi_conversions_updated();
create trigger roi_inserted after insert on conversion_changes referencing new table as changed
    for each statement execute function roi_changes_changed();
create trigger roi_updated after update on conversion_changes referencing new table as changed
    for each statement execute function roi_changes_changed();
create trigger roi_inserted after insert on touchpoints referencing new table as changed
    for each statement execute function roi_touchpoints_inserted();
create trigger roi_updated after update on touchpoints referencing new table as changed
    for each statement execute function roi_touchpoints_updated();
create trigger roi_inserted after insert on first_touches referencing new table as changed
    for each statement execute function roi_first_touches_inserted();
create trigger roi_updated after update on contacts referencing old table as before new table as changed
    for each statement execute function roi_contacts_updated();
create trigger roi_inserted after insert on messages referencing new table as changed
    for each statement execute function roi_messages_inserted();

grant select on roi_daily, roi_zones, roi_changes to ctwa_worker, ctwa_console;
grant insert, delete on roi_daily, roi_zones, roi_changes to ctwa_worker;
grant update on roi_zones to ctwa_worker;
