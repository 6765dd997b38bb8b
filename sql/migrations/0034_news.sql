-- Which loads brought news: a table is fresh by these alone, and not because somebody loaded an old date again.

set local role etl_loader;

alter table etl.table_load add column newest_slice date;
alter table etl.table_load add column is_news boolean not null default true;
comment on column etl.table_load.newest_slice is
'The last date that was loaded, of what is loaded by date; null of what is loaded whole.';
comment on column etl.table_load.is_news is
'Whether it reached the last seven days, or as far as the load before that was news. A backfill does not, and nor does a'
' file that was loaded before; what an erasure or a rollback writes is none either.';
create index on etl.table_load (relation, loaded_at desc, load_id desc) where is_news;

reset role;
