-- A sale that came without any click counts for no first click either: an old customer's first click, or two such
-- contacts that become one, touch no day. One that has lost its click, and still counts for it, is noted all the same. Both
-- functions are otherwise as they were.

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
             and (c.touchpoint_id is not null or exists (select from roi_changes n where n.conversion_id = c.id and not n.fresh))
        left join (first_touches f join everybody o on o.id = f.contact_id) on true;
    return null;
end $$;

create or replace function roi_contacts_updated() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if not exists (select from changed n join before b on b.id = n.id
                   where n.merged_into is distinct from b.merged_into) then
        return null;
    end if;
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
             and (c.touchpoint_id is not null or exists (select from roi_changes n where n.conversion_id = c.id and not n.fresh))
        left join (first_touches f join everybody o on o.id = f.contact_id) on true;
    return null;
end $$;
