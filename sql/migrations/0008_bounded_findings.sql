-- What is written about what is wrong is bounded: of each rule and date the count is exact, and of single findings the
-- first ones are kept.

set local role etl_loader;

create table etl.finding_count (
    relation text not null,
    rule text not null,
    slice date,
    findings bigint not null check (findings > 0),
    batch_id uuid not null references etl.batch,
    counted_at timestamptz not null default now(),
    unique nulls not distinct (relation, rule, slice)
);
comment on table etl.finding_count is
'How many findings a rule has at a date (null where the table has no dates), those resolved by a person among them.'
' Of the single ones etl.quality_issue keeps ETL_MAX_FINDINGS; none here means that nothing was found.';

insert into etl.finding_count (relation, rule, slice, findings, batch_id)
select
    relation,
    rule,
    slice,
    count(*),
    (array_agg(last_batch_id order by last_seen_at desc))[1]
from etl.quality_issue
where status <> 'closed'
group by relation, rule, slice;

create index on etl.quality_issue (relation, rule) where status = 'open';

comment on table etl.quality_issue is
'One finding: a rule, a row, a field. Resolved by a person it stays so while the value stays; mended it closes. Of each'
' rule and date the first ones are kept; etl.finding_count has how many there are.';

reset role;

-- A query whose client is gone ends. Of a server that cannot look whether it is there nothing is asked.
do $$
begin
    execute format('alter role %I set client_connection_check_interval = ''10s''', current_user);
exception when invalid_parameter_value then
    raise notice 'this server cannot see that a client is gone; its queries go on until they end';
end
$$;
