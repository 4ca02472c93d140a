-- People who wrote on their own count on the day they wrote, as ad messages do, and not when a late webhook came.
drop index messages_channel;
create index messages_channel_time on messages (channel_id, least(coalesce(sent_at, received_at), received_at))
    where direction = 'in' and class = 'organic';

create or replace function roi_messages_inserted() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into roi_changes (workspace, moment)
        select distinct ch.workspace, date_trunc('hour', least(coalesce(m.sent_at, m.received_at), m.received_at), 'UTC')
        from changed m join channels ch on ch.id = m.channel_id where m.class = 'organic' and m.direction = 'in'
        union
        -- One that comes after later ones of the same person takes their place as the first.
        select distinct ch.workspace, least(coalesce(l.sent_at, l.received_at), l.received_at)
        from changed m join messages l on l.contact_id = m.contact_id
             and least(coalesce(l.sent_at, l.received_at), l.received_at)
               > least(coalesce(m.sent_at, m.received_at), m.received_at)
        join channels ch on ch.id = l.channel_id where l.class = 'organic' and m.direction = 'in';
    return null;
end $$;
