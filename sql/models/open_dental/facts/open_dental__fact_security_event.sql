-- One row per entry of the audit trail, in partitions by month, so that a question about a time reads that time alone.
-- Rows that the source has purged stay. Login and patient are those in force then; -1 where there is none.

{{
    config(
        materialized='list_partitioned',
        partition_by='event_month',
        unique_key=['event_month', 'security_log_num'],
        partition_move_key='security_log_num',
        not_null=['user_key', 'patient_key'],
        indexes=[{'columns': ['event_date']}],
    )
}}

with

entries as (
    select
        *,
        {{ effective_moment('logged_at') }} as effective_at
    from {{ ref('open_dental__stg_securitylog') }}
),

hash_counts as (
    select
        security_log_num,
        count(*) as hash_count
    from {{ ref('open_dental__stg_securityloghash') }}
    where security_log_num is not null
    group by security_log_num
),

users as (
    {{ dimension_versions(ref('open_dental__dim_user'), 'user_num') }}
),

patients as (
    {{ dimension_versions(ref('open_dental__dim_patient'), 'patient_num') }}
)

select
    coalesce(to_char(entries.logged_at, 'YYYY_MM'), 'undated') as event_month,
    entries.security_log_num,
    entries.logged_at::date as event_date,
    entries.logged_at,
    {{ dimension_key('users') }} as user_key,
    {{ dimension_key('patients') }} as patient_key,
    entries.user_num,
    entries.patient_num,
    entries.permission_code,
    entries.permission,
    entries.source_code,
    entries.source,
    entries.computer,
    entries.about_num,
    entries.previous_at,
    {{ minutes_between('entries.previous_at', 'entries.logged_at') }} as minutes_since_previous,
    coalesce(hash_counts.hash_count, 0)::integer as hash_count
from entries
left join hash_counts on entries.security_log_num = hash_counts.security_log_num
{{ join_dimension('users', 'user_num', 'entries.user_num', moment='entries.effective_at') }}
{{ join_dimension('patients', 'patient_num', 'entries.patient_num', moment='entries.effective_at') }}
