{{ config(materialized='scd2', natural_key='member_id', effective_at='changed_at') }}

select
    member_id,
    full_name,
    email,
    city,
    region,
    job_title,
    status,
    level,
    rate,
    hired_on,
    is_deleted,
    changed_at
from benchmark.members
