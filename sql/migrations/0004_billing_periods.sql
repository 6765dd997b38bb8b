-- Tables that a service's records come into, and the billing periods that they are counted by.

create schema tracktik_staging authorization etl_loader;
create schema tracktik_typed authorization etl_transformer;
create schema tracktik authorization etl_transformer;

grant usage on schema tracktik_staging to etl_transformer;
alter default privileges for role etl_loader in schema tracktik_staging grant select on tables to etl_transformer;
grant usage, create on schema tracktik to etl_loader;
grant usage on schema tracktik to etl_reader;

set local role etl_loader;

alter table etl.table_load add column slices_changed date[] not null default '{}';
comment on column etl.table_load.slices_changed is
'Dates of which rows were written, for loads that are no file''s; a file''s are in etl.file_slice.';

-- A record of a service has no file: its id stands where a file has the line.
alter table etl.rejected_row drop constraint rejected_row_file_id_line_number_column_name_reason_key;
alter table etl.rejected_row
add unique nulls not distinct (relation, file_id, line_number, column_name, reason);

create table tracktik.billing_periods (
    period_id varchar(10) primary key,
    start_date date not null,
    end_date date not null check (end_date >= start_date),
    fiscal_year integer not null,
    period_number integer not null check (period_number between 1 and 53),
    periods_in_year integer not null check (periods_in_year in (12, 24, 26, 52)),
    quarter integer not null generated always as (least(ceil(period_number * 4.0 / periods_in_year)::integer, 4)) stored,
    days_in_period integer not null generated always as (end_date - start_date + 1) stored,
    unique (fiscal_year, period_number),
    exclude using gist (daterange(start_date, end_date, '[]') with &&)
);
comment on table tracktik.billing_periods is
'The billing calendar, written from its one definition in etl_assets/sources/tracktik. Every eleventh year or so has a 27th period.';
grant select on tracktik.billing_periods to etl_transformer, etl_reader;

create function tracktik.get_billing_period(shift_date date) returns varchar
language plpgsql stable as $$
declare
    found_id varchar;
begin
    select period_id into found_id
    from tracktik.billing_periods
    where start_date <= shift_date and end_date >= shift_date;
    if found_id is null then
        raise exception '% is in no billing period: the calendar goes from % to %.',
            coalesce(shift_date::text, 'null'),
            (select min(start_date) from tracktik.billing_periods),
            (select max(end_date) from tracktik.billing_periods)
            using hint = 'Is the date right? If so, widen the years of the calendar in the source''s tables.py and run etl migrate.';
    end if;
    return found_id;
end
$$;
comment on function tracktik.get_billing_period(date) is
'The id of the billing period in which a date lies. Stable and not immutable: it reads a table.';

reset role;
