-- The operating room's control tables, in the brief's names: views over the ledger, so that what was
-- written for the old system still reads. What people did by hand with procedures is done by functions.

set local role etl_loader;

create view stg.file_tracking as
select distinct on (file_name)
    file_id,
    file_name,
    table_name as file_type,
    size_bytes as file_size,
    rows_read as record_count,
    load_started_at as load_start_time,
    load_ended_at as load_end_time,
    case status
        when 'pending' then 'PENDING'
        when 'loading' then 'STARTED'
        when 'loaded' then 'COMPLETED'
        when 'duplicate' then 'DUPLICATE'
        when 'failed' then 'FAILED'
    end as status,
    rows_rejected as error_count,
    notes,
    checksum,
    feed,
    modified_at,
    first_seen_at,
    batch_id as etl_batch_id
from etl.source_file
where source = 'operating_room'
order by file_name asc, file_id desc;
comment on view stg.file_tracking is 'The last delivery of each file name, and what became of it.';

create view stg.data_load_error as
select
    rejected.rejected_id as error_id,
    file.file_name as source_file,
    rejected.rejected_at as error_datetime,
    rejected.reason as error_message,
    concat_ws(', ', 'line ' || rejected.line_number, 'column ' || rejected.column_name) as error_details,
    rejected.raw as row_data,
    upper(rejected.status) as status,
    rejected.resolution_notes,
    rejected.resolved_at as resolved_datetime,
    rejected.resolved_by,
    rejected.line_number,
    rejected.column_name,
    rejected.relation,
    rejected.batch_id as etl_batch_id
from etl.rejected_row as rejected
left join etl.source_file as file on file.file_id = rejected.file_id
where rejected.relation like 'stg.%';
comment on view stg.data_load_error is 'One fault of one row that could not be loaded, with the row as it came.';

create view stg.data_quality_exception as
select
    issue_id as exception_id,
    rule as check_name,
    why as check_description,
    relation as source_table,
    key as primary_key_value,
    nullif(field, '') as field_name,
    value as field_value,
    exception_type,
    message as exception_message,
    first_seen_at as check_date,
    case status when 'resolved' then resolved_at when 'closed' then closed_at end as resolved_date,
    case status when 'resolved' then resolved_by when 'closed' then 'mended at the source' end as resolved_by,
    resolution_notes,
    status,
    severity,
    slice as schedule_date,
    last_seen_at
from etl.quality_issue
where source = 'operating_room';
comment on view stg.data_quality_exception is 'One finding a row and field, and what became of it.';

create view stg.unresolved_exceptions as
select * from stg.data_quality_exception where status = 'open';

create view stg.etl_control as
select
    batch.batch_id,
    batch.kind as process_name,
    upper(batch.status) as status,
    batch.started_at as start_time,
    batch.ended_at as end_time,
    coalesce(loads.error_count, 0) as error_count,
    coalesce(checks.warning_count, 0) as warning_count,
    batch.error as error_message,
    batch.run_id
from etl.batch as batch
left join lateral (
    select sum(rows_rejected) as error_count from etl.table_load where batch_id = batch.batch_id
) as loads on true
left join lateral (
    select sum(rows_broken) as warning_count from etl.quality_result where batch_id = batch.batch_id
) as checks on true
where batch.source = 'operating_room';
comment on view stg.etl_control is 'One line a batch: what ran, how it ended, rows rejected and findings.';

create function stg.resolve_data_quality_exception(exception_id bigint, resolved_by text, resolution_notes text)
returns void
language sql as $$ select etl.resolve_issue(exception_id, resolved_by, resolution_notes) $$;

create function stg.resolve_data_load_error(error_id bigint, resolved_by text, resolution_notes text)
returns void
language sql as $$ select etl.resolve_rejected_row(error_id, resolved_by, resolution_notes) $$;

reset role;
