-- A service may be several tenants alike, whose ids have nothing to do with each other: loads and watermarks are of one.
-- And the key of a service's record need not be one whole number.

set local role etl_loader;

alter table etl.table_load add column instance text not null default '';
comment on column etl.table_load.instance is 'Which tenant of the source was loaded; empty where the source is one.';

alter table etl.watermark add column instance text not null default '';
alter table etl.watermark drop constraint watermark_pkey;
alter table etl.watermark add primary key (relation, instance);
comment on column etl.watermark.instance is 'Which tenant of the source it is of; empty where the source is one.';

alter table etl.rejected_row add column record_key text;
comment on column etl.rejected_row.record_key is
'The key of a service''s record that is not one whole number, with its tenant; of one that is, line_number has it.';
alter table etl.rejected_row drop constraint rejected_row_relation_file_id_line_number_column_name_reaso_key;
alter table etl.rejected_row
add unique nulls not distinct (relation, file_id, line_number, record_key, column_name, reason);

reset role;
