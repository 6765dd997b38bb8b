-- A role that previews are built by; issues that somebody has acknowledged; thresholds of rules that are set by people.

do $$
begin
    if not exists (select from pg_roles where rolname = 'etl_previewer') then
        create role etl_previewer nologin;
    end if;
    if not pg_has_role(current_user, 'etl_previewer', 'set') then
        grant etl_previewer to current_user;
    end if;
end
$$;

-- It reads what the transformer reads, and writes in the schemas that a preview makes for it alone.
do $$
declare
    held record;
begin
    for held in
        select nspname as name from pg_namespace
        where nspowner::regrole::text like 'etl\_%' and has_schema_privilege('etl_transformer', oid, 'usage')
    loop
        execute format('grant usage on schema %I to etl_previewer', held.name);
    end loop;
    for held in
        select oid::regclass as name from pg_class
        where relkind in ('r', 'p', 'v', 'm') and relowner::regrole::text like 'etl\_%'
            and has_table_privilege('etl_transformer', oid, 'select')
    loop
        execute format('grant select on %s to etl_previewer', held.name);
    end loop;
    -- What loads make in a schema whose new tables the transformer may read.
    for held in
        select acl.defaclrole::regrole as maker, acl.defaclnamespace::regnamespace as space
        from pg_default_acl as acl
        cross join lateral aclexplode(acl.defaclacl) as granted
        where granted.grantee = 'etl_transformer'::regrole and acl.defaclobjtype = 'r'
            and granted.privilege_type = 'SELECT'
    loop
        execute format(
            'alter default privileges for role %s in schema %s grant select on tables to etl_previewer',
            held.maker, held.space
        );
    end loop;
end
$$;
alter default privileges for role etl_transformer grant select on tables to etl_previewer;
alter default privileges for role etl_transformer grant usage on schemas to etl_previewer;

set local role etl_loader;

-- An acknowledged issue is open: it counts, blocks and shows as before, and is no news.
alter table etl.quality_issue add column acknowledged_at timestamptz;
alter table etl.quality_issue add column acknowledged_by text;
alter table etl.quality_issue add column acknowledged_why text;
alter table etl.quality_issue add column times_reopened integer not null default 0;
alter table etl.quality_issue add column reopened_at timestamptz;
comment on column etl.quality_issue.acknowledged_at is
'Since when somebody knows of it; null where nobody does. An issue that opens again is not acknowledged any more.';
comment on column etl.quality_issue.times_reopened is
'How often it was found again after it was closed, or after it was resolved with another value.';

create function etl.acknowledge_issue(issue bigint, who text, reason text) returns void
language plpgsql as $$
begin
    if coalesce(trim(who), '') = '' or coalesce(trim(reason), '') = '' then
        raise exception 'An issue is acknowledged by somebody, with a reason; one of the two is empty.';
    end if;
    update etl.quality_issue
    set acknowledged_at = now(), acknowledged_by = who, acknowledged_why = reason
    where issue_id = issue and status = 'open';
    if not found then
        raise exception 'Issue % is not open: it %.', issue, coalesce(
            (select 'is ' || status || coalesce(' by ' || resolved_by, '') from etl.quality_issue where issue_id = issue),
            'does not exist'
        );
    end if;
end
$$;

-- Whoever opens an issue again need not think of it.
create function etl.note_reopened() returns trigger
language plpgsql as $$
begin
    new.times_reopened := old.times_reopened + 1;
    new.reopened_at := now();
    new.acknowledged_at := null;
    new.acknowledged_by := null;
    new.acknowledged_why := null;
    return new;
end
$$;
create trigger note_reopened before update of status on etl.quality_issue
for each row when (old.status <> 'open' and new.status = 'open') execute function etl.note_reopened();

create table etl.rule_setting (
    setting_id bigint primary key generated always as identity,
    source text not null,
    relation text not null,
    rule text not null,
    parameter text not null,
    value double precision,
    set_by text not null check (trim(set_by) <> ''),
    why text not null check (trim(why) <> ''),
    set_at timestamptz not null default now()
);
comment on table etl.rule_setting is
'Thresholds of rules that people have set, each time by whom and why; the newest of a parameter is in force.';
comment on column etl.rule_setting.value is 'Null where it was put back to what the declaration says.';
create index on etl.rule_setting (relation, rule, parameter, setting_id desc);

create view etl.rule_threshold as
select
    relation,
    rule,
    parameter,
    source,
    value,
    set_by,
    why,
    set_at
from (
    select distinct on (relation, rule, parameter) *
    from etl.rule_setting
    order by relation asc, rule asc, parameter asc, setting_id desc
) as newest
where value is not null;
comment on view etl.rule_threshold is 'The thresholds of rules that are set now, in place of the declared ones.';

reset role;
