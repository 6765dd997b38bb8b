{% snapshot by_snapshot_of_all %}

{{
    config(
        unique_key='member_id',
        strategy='check',
        check_cols='all',
    )
}}

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
    is_deleted
from benchmark.members

{% endsnapshot %}
