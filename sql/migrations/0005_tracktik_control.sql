-- TrackTik's control tables, in the brief's names, columns and types: views over the ledger. A batch whose process died
-- is abandoned there by the next one that looks, so that none is running for ever; here it has failed.

set local role etl_loader;

create view tracktik.etl_batches as
select
    batch.batch_id,
    batch.kind::varchar(50) as batch_type,
    case batch.status
        when 'running' then 'running'
        when 'success' then 'completed'
        else 'failed'
    end::varchar(20) as status,
    batch.started_at,
    batch.ended_at as completed_at,
    least(coalesce(loads.records, 0) + coalesce(builds.records, 0), 2147483647)::integer as records_processed,
    least(coalesce(loads.records_rejected, 0), 2147483647)::integer as records_failed,
    batch.error as error_message,
    jsonb_strip_nulls(
        jsonb_build_object(
            'run_id', batch.run_id,
            'abandoned', nullif(batch.status = 'abandoned', false),
            'loads', loads.details,
            'builds', builds.details
        )
    ) as metadata
from etl.batch as batch
left join lateral (
    select
        sum(loaded.rows_read) as records,
        sum(loaded.rows_rejected) as records_rejected,
        jsonb_object_agg(
            loaded.relation,
            jsonb_build_object(
                'read', loaded.rows_read, 'inserted', loaded.rows_inserted, 'updated', loaded.rows_updated,
                'unchanged', loaded.rows_unchanged, 'deleted', loaded.rows_deleted, 'rejected', loaded.rows_rejected
            )
        ) as details
    from (
        select
            relation,
            sum(rows_read) as rows_read,
            sum(rows_inserted) as rows_inserted,
            sum(rows_updated) as rows_updated,
            sum(rows_unchanged) as rows_unchanged,
            sum(rows_deleted) as rows_deleted,
            sum(rows_rejected) as rows_rejected
        from etl.table_load
        where batch_id = batch.batch_id
        group by relation
    ) as loaded
) as loads on true
left join lateral (
    select
        sum(rows_changed) as records,
        jsonb_object_agg(relation, jsonb_build_object('status', status, 'changed', rows_changed)) as details
    from etl.model_build
    where batch_id = batch.batch_id
) as builds on true
where batch.source = 'tracktik';
comment on view tracktik.etl_batches is
'One line a batch: what ran, how it ended, records read or written and records refused; metadata has them by table.';

create view tracktik.etl_sync_status as
with

synced as (
    select
        loaded.relation,
        loaded.batch_id,
        max(loaded.loaded_at) as synced_at,
        jsonb_build_object(
            'read', sum(loaded.rows_read), 'inserted', sum(loaded.rows_inserted), 'updated', sum(loaded.rows_updated),
            'deleted', sum(loaded.rows_deleted), 'rejected', sum(loaded.rows_rejected)
        ) as details
    from etl.table_load as loaded
    group by loaded.relation, loaded.batch_id
    union all
    select
        relation,
        batch_id,
        built_at,
        jsonb_build_object('changed', rows_changed)
    from etl.model_build
    where status = 'success'
),

latest as (
    select distinct on (synced.relation)
        synced.*
    from synced
    inner join etl.batch as batch on batch.batch_id = synced.batch_id
    where batch.source = 'tracktik' and split_part(synced.relation, '.', 1) in ('tracktik_staging', 'tracktik')
    order by synced.relation asc, synced.synced_at desc
)

select
    split_part(latest.relation, '.', 2)::varchar(100) as table_name,
    latest.synced_at as last_sync_timestamp,
    latest.batch_id as last_successful_batch_id,
    jsonb_strip_nulls(
        jsonb_build_object('schema', split_part(latest.relation, '.', 1), 'watermark', watermark.value)
    ) || latest.details as sync_metadata
from latest
left join etl.watermark as watermark on watermark.relation = latest.relation;
comment on view tracktik.etl_sync_status is
'When each table was last loaded or built, by which batch, and what that did. What failed left no line.';

create view tracktik.data_quality_issues as
select
    issue_id::integer as issue_id,
    last_batch_id as batch_id,
    coalesce(nullif(split_part(relation, '.', 2), ''), relation)::varchar(100) as table_name,
    key::varchar(100) as record_id,
    exception_type::varchar(50) as issue_type,
    message as issue_description,
    jsonb_strip_nulls(
        jsonb_build_object(
            'rule', rule, 'why', why, 'field', nullif(field, ''), 'value', value, 'severity', severity,
            'status', status, 'date', slice, 'first_seen_at', first_seen_at, 'last_seen_at', last_seen_at,
            'resolved_by', resolved_by, 'resolution_notes', resolution_notes
        )
    ) as issue_data
from etl.quality_issue
where source = 'tracktik'
union all
select
    -rejected_id::integer,
    batch_id,
    split_part(relation, '.', 2)::varchar(100),
    line_number::varchar(100),
    'Rejected'::varchar(50),
    reason,
    jsonb_strip_nulls(
        jsonb_build_object(
            'field', column_name, 'raw', raw, 'severity', 'error', 'status', status, 'first_seen_at', rejected_at,
            'resolved_by', resolved_by, 'resolution_notes', resolution_notes
        )
    )
from etl.rejected_row
where split_part(relation, '.', 1) = 'tracktik_staging';
comment on view tracktik.data_quality_issues is
'One finding a record and field, and what became of it. Records that could not be kept have numbers below zero.';

grant select on tracktik.etl_batches, tracktik.etl_sync_status, tracktik.data_quality_issues to etl_transformer;

reset role;
