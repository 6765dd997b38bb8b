-- One row per study, site and month: of the subjects who were screened in it, how many failed since. Those of whom
-- neither is known yet, enrolled or failed, are in no rate. 0 stands for no site.

{{
    config(
        unique_key=['source_instance_id', 'study_id', 'site_id', 'month_start'],
        indexes=[{'columns': ['month_start']}],
    )
}}

with

screened as (
    select
        *,
        is_enrolled or is_randomized or is_completed as is_passed
    from {{ ref('trialsync__fact_enrollment') }}
    where screened_date is not null
),

studies as (
    select * from {{ ref('trialsync__dim_studies') }}
    where is_current and study_id is not null
),

sites as (
    select * from {{ ref('trialsync__dim_sites') }}
    where is_current and site_id is not null
),

counted as (
    select
        source_instance_id,
        study_id,
        coalesce(site_id, 0) as site_id,
        date_trunc('month', screened_date)::date as month_start,
        count(*)::integer as screened,
        (count(*) filter (where is_screen_failure))::integer as failed,
        (count(*) filter (where is_passed and not is_screen_failure))::integer as passed
    from screened
    group by 1, 2, 3, 4
)

select
    counted.source_instance_id,
    counted.study_id,
    counted.site_id,
    counted.month_start,
    studies.name as study_name,
    sites.name as site_name,
    counted.screened,
    counted.failed,
    counted.passed,
    counted.screened - counted.failed - counted.passed as undecided,
    {{ ratio('counted.failed::numeric', 'counted.failed + counted.passed') }} as screen_failure_rate,
    {{ wilson_bound('counted.failed', '(counted.failed + counted.passed)', '-') }} as screen_failure_rate_low,
    {{ wilson_bound('counted.failed', '(counted.failed + counted.passed)', '+') }} as screen_failure_rate_high
from counted
left join studies
    on counted.source_instance_id = studies.source_instance_id and counted.study_id = studies.study_id
left join sites
    on counted.source_instance_id = sites.source_instance_id and counted.site_id = sites.site_id
