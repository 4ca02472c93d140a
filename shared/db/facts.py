"""The facts that figures are added up from: each conversation and conversion that counts somewhere, as statements.

One conversion counts four times: on its own day and on its click's, for its last click and for its person's first.
"""

#: When a message was written, as `shared.domain.attribution.message_time` says.
_WRITTEN = "least(coalesce({m}.sent_at, {m}.received_at), {m}.received_at)"

#: The contact and everybody who is the same person; `who` is any of them.
_SAME_PERSON = """
    select p.id from contacts o
    cross join lateral (
        select coalesce(o.merged_into, o.id) as id
        union all
        select m.id from contacts m where m.merged_into = coalesce(o.merged_into, o.id)
    ) p where o.id = {who}
"""

FIRST_TOUCH = f"""
    select f.touchpoint_id, t.occurred_at
    from ({_SAME_PERSON.format(who="{contact}")}) p
    join first_touches f on f.contact_id = p.id join touchpoints t on t.id = f.touchpoint_id
    order by t.occurred_at, t.id limit 1
"""

#: What a conversion is worth is what `shared.domain.revenue` says: its last amendment, else its value; a refund of no
#: amount gives everything back, and no more than everything can be given back.
_WORTH = """
    select c.id, c.contact_id, c.touchpoint_id, c.occurred_at, coalesce(c.channel_id, 0) as channel_id,
           case when c.source = 'meta_automatic' then 'meta:' else '' end || c.event_name as event_name,
           coalesce(c.currency, a.currency, '') as currency, c.is_test, c.cost, coalesce(a.value, c.value, 0) as gross,
           case when r.everything then coalesce(a.value, c.value, 0)
                else least(coalesce(a.value, c.value, 0), coalesce(r.amount, 0)) end as refunds
    from {conversions} c
    left join lateral (
        select x.value, x.currency from conversion_changes x
        where x.conversion_id = c.id and x.id <> all({unknown})
          and x.kind in ('value', 'amendment') and x.value is not null
          and (c.currency is null or x.currency = c.currency)
        order by x.occurred_at desc, x.id desc limit 1
    ) a on true
    left join lateral (
        select bool_or(x.value is null) as everything,
               sum(x.value) filter (where x.currency = coalesce(c.currency, a.currency)) as amount
        from conversion_changes x
        where x.conversion_id = c.id and x.id <> all({unknown}) and x.kind in ('refund', 'cancellation')
    ) r on true
    where c.workspace = %(workspace)s
"""
_WORTH_NOW = _WORTH.format(conversions="conversions", unknown="'{}'::uuid[]")

#: One row of `facts` for each thing that counts somewhere from `since` to `until`, with the moment it counts at and
#: whose it is.
FACTS = f"""
with worth as not materialized ({_WORTH_NOW}), clicks as not materialized (
    select t.id, t.contact_id, t.channel_id, t.ad_id, t.class, t.source_app, t.occurred_at, t.is_test
    from touchpoints t
    where t.channel_id in (select id from channels where workspace = %(workspace)s)
      and t.occurred_at >= %(since)s and t.occurred_at < %(until)s
), facts as (
    select t.occurred_at as moment, 'click' as basis, 'last' as model, t.channel_id, t.ad_id, t.class,
           t.source_app as placement, 'conversation' as event_name, '' as currency, t.is_test, 0 as gross,
           0 as refunds, null::numeric as cost, t.contact_id, t.id as touchpoint_id, null::uuid as conversion_id
    from clicks t
  union all
    select {_WRITTEN.format(m="m")}, 'click', 'last', m.channel_id, null, 'organic', null, 'conversation', '',
           m.is_test, 0, 0, null, m.contact_id, null, null
    from messages m
    where m.channel_id in (select id from channels where workspace = %(workspace)s) and m.direction = 'in'
      and {_WRITTEN.format(m="m")} >= %(since)s and {_WRITTEN.format(m="m")} < %(until)s and m.class = 'organic'
      and not exists (select from messages e where e.contact_id = m.contact_id and e.direction = 'in'
                      and ({_WRITTEN.format(m="e")}, e.id) < ({_WRITTEN.format(m="m")}, m.id))
  union all
    select c.occurred_at, 'conversion', 'last', c.channel_id, t.ad_id, t.class, t.source_app, c.event_name, c.currency,
           c.is_test, c.gross, c.refunds, c.cost, c.contact_id, t.id, c.id
    from worth c left join touchpoints t on t.id = c.touchpoint_id
    where c.occurred_at >= %(since)s and c.occurred_at < %(until)s
  union all
    select c.occurred_at, 'conversion', 'first', c.channel_id, t.ad_id, t.class, t.source_app, c.event_name,
           c.currency, c.is_test, c.gross, c.refunds, c.cost, c.contact_id, t.id, c.id
    from worth c
    left join lateral ({FIRST_TOUCH.format(contact="c.contact_id")}) f on c.touchpoint_id is not null
    left join touchpoints t on t.id = coalesce(f.touchpoint_id, c.touchpoint_id)
    where c.occurred_at >= %(since)s and c.occurred_at < %(until)s
  union all
    select t.occurred_at, 'click', 'last', c.channel_id, t.ad_id, t.class, t.source_app, c.event_name, c.currency,
           c.is_test, c.gross, c.refunds, c.cost, c.contact_id, t.id, c.id
    from clicks t join worth c on c.touchpoint_id = t.id
  union all
    select t.occurred_at, 'click', 'first', c.channel_id, t.ad_id, t.class, t.source_app, c.event_name, c.currency,
           c.is_test, c.gross, c.refunds, c.cost, c.contact_id, t.id, c.id
    from clicks t
    cross join lateral ({_SAME_PERSON.format(who="t.contact_id")}) g
    join worth c on c.contact_id = g.id and c.touchpoint_id is not null
    left join lateral ({FIRST_TOUCH.format(contact="c.contact_id")}) f on true
    where coalesce(f.touchpoint_id, c.touchpoint_id) = t.id
  union all
    -- Without a click there is no click's day: such conversions count on their own, so that totals are whole.
    select c.occurred_at, 'click', m.model, c.channel_id, null, null, null, c.event_name, c.currency, c.is_test,
           c.gross, c.refunds, c.cost, c.contact_id, null, c.id
    from worth c cross join (values ('last'), ('first')) m (model)
    where c.occurred_at >= %(since)s and c.occurred_at < %(until)s and c.touchpoint_id is null
)
"""

_OF_CLICKS = """
    select t.occurred_at as moment, 'click' as basis, 'last' as model, t.channel_id, t.ad_id, t.class,
           t.source_app as placement, 'conversation' as event_name, '' as currency, t.is_test, 0 as gross,
           0 as refunds, null::numeric as cost, 1 as sign
    from touchpoints t where t.id = any(%(clicks)s)
"""

_OF_MESSAGES = f"""
    select {_WRITTEN.format(m="m")}, 'click', 'last', m.channel_id, null, 'organic', null, 'conversation', '',
           m.is_test, 0, 0, null, 1
    from messages m
    where m.id = any(%(messages)s) and m.direction = 'in' and m.class = 'organic'
      and not exists (select from messages e where e.contact_id = m.contact_id and e.direction = 'in'
                      and ({_WRITTEN.format(m="e")}, e.id) < ({_WRITTEN.format(m="m")}, m.id))
"""

_OF_CONVERSIONS = f"""
    select x.moment, x.basis, x.model, c.channel_id, x.ad_id, x.class, x.placement, c.event_name, c.currency,
           c.is_test, c.gross, c.refunds, c.cost, {{sign}}
    from ({{worth}}) c
    left join touchpoints l on l.id = c.touchpoint_id
    left join lateral ({FIRST_TOUCH.format(contact="c.contact_id")}) f on c.touchpoint_id is not null
    left join touchpoints t on t.id = coalesce(f.touchpoint_id, c.touchpoint_id)
    cross join lateral (
        values (c.occurred_at, 'conversion', 'last', l.ad_id, l.class, l.source_app),
               (c.occurred_at, 'conversion', 'first', t.ad_id, t.class, t.source_app),
               (coalesce(l.occurred_at, c.occurred_at), 'click', 'last', l.ad_id, l.class, l.source_app),
               (coalesce(t.occurred_at, c.occurred_at), 'click', 'first', t.ad_id, t.class, t.source_app)
    ) x (moment, basis, model, ad_id, class, placement)
    where c.id = any({{ids}})
"""

#: These conversions as they were when they were last counted: what is noted of them since is undone.
_CONVERSIONS_BEFORE = """(
    select r.* from conversions n
    left join lateral (
        select was from roi_changes where conversion_id = n.id and changed and was is not null order by id limit 1
    ) o on true
    cross join lateral jsonb_populate_record(n, coalesce(o.was, '{}')) r
    where n.id = any(%(changed)s)
)"""

#: What single rows add to figures (`sign` 1) and take from them (-1): these clicks, messages and `conversions` as they
#: are, and those of the conversions that `changed` as they were before the changes that were `unknown` then.
CHANGES = f"""
with facts as (
  {_OF_CLICKS}
  union all {_OF_MESSAGES}
  union all {_OF_CONVERSIONS.format(worth=_WORTH_NOW, ids="%(conversions)s", sign="1")}
  union all {
    _OF_CONVERSIONS.format(
        worth=_WORTH.format(conversions=_CONVERSIONS_BEFORE, unknown="%(unknown)s::uuid[]"),
        ids="%(changed)s",
        sign="-1",
    )
}
)
"""

#: Facts by day of a zone, one row for each combination of what can be asked for.
BY_DAY = """
select %(workspace)s::text as workspace, %(zone)s::text as zone, (moment at time zone %(zone)s)::date as day, basis,
       model, channel_id, coalesce(ad_id, '') as ad_id, coalesce(class, 'none') as class,
       coalesce(placement, '') as placement, event_name, currency, is_test, sum(sign) as events,
       sum(sign * gross) as gross, sum(sign * refunds) as refunds, coalesce(sum(sign * cost), 0) as cost,
       coalesce(sum(sign) filter (where cost is not null), 0) as costed,
       coalesce(sum(sign * (gross - refunds)) filter (where cost is null), 0) as uncosted
from {facts} facts
group by 3, basis, model, channel_id, coalesce(ad_id, ''), coalesce(class, 'none'), coalesce(placement, ''),
         event_name, currency, is_test
"""
