-- Figures of a study that two marts have, or a mart and a fact, and that are not the same.

{{ config(meta={'dagster': {'ref': {'name': 'trialsync__mart_study_performance'}}}) }}

with

facts as (
    select
        source_instance_id,
        study_id,
        count(*) as subjects,
        count(screened_date) as screened,
        count(enrollment_date) as enrolled,
        count(completed_date) as completed
    from {{ ref('trialsync__fact_enrollment') }}
    group by 1, 2
),

by_month as (
    select
        source_instance_id,
        study_id,
        sum(screened) as screened,
        sum(enrolled) as enrolled,
        sum(completed) as completed,
        max(cumulative_enrolled) as cumulative_enrolled
    from {{ ref('trialsync__mart_study_performance') }}
    group by 1, 2
),

by_site as (
    select
        source_instance_id,
        study_id,
        sum(screened) as screened,
        sum(enrolled) as enrolled,
        sum(completed) as completed,
        sum(visits_on_time) as visits_on_time
    from {{ ref('trialsync__mart_site_performance') }}
    where study_id <> 0
    group by 1, 2
),

funnel as (
    select
        source_instance_id,
        study_id,
        sum(subjects) as subjects,
        sum(enrolled) as enrolled
    from {{ ref('trialsync__mart_enrollment_funnel') }}
    group by 1, 2
),

failures as (
    select
        source_instance_id,
        study_id,
        sum(screened) as screened
    from {{ ref('trialsync__mart_screen_failure_rate') }}
    group by 1, 2
),

timeliness as (
    select
        source_instance_id,
        study_id,
        sum(on_time) as visits_on_time
    from {{ ref('trialsync__mart_visit_timeliness') }}
    group by 1, 2
)

select
    source_instance_id,
    study_id,
    compared.figure,
    compared.one,
    compared.other
from facts
full join by_month using (source_instance_id, study_id)
full join by_site using (source_instance_id, study_id)
full join funnel using (source_instance_id, study_id)
full join failures using (source_instance_id, study_id)
full join timeliness using (source_instance_id, study_id)
inner join lateral (
    values
    ('subjects of the funnel', facts.subjects, funnel.subjects),
    ('enrolled in the funnel', facts.enrolled, funnel.enrolled),
    ('screened by month', facts.screened, by_month.screened),
    ('enrolled by month', facts.enrolled, by_month.enrolled),
    ('enrolled up to the last month', facts.enrolled, by_month.cumulative_enrolled),
    ('completed by month', facts.completed, by_month.completed),
    ('screened by site', facts.screened, by_site.screened),
    ('enrolled by site', facts.enrolled, by_site.enrolled),
    ('completed by site', facts.completed, by_site.completed),
    ('screened, of whom some failed', facts.screened, failures.screened),
    ('visits on time', by_site.visits_on_time, timeliness.visits_on_time)
) as compared (figure, one, other) on true
where coalesce(compared.one, 0) <> coalesce(compared.other, 0)
