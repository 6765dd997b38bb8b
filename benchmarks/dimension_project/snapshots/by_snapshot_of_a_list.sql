{% snapshot by_snapshot_of_a_list %}

{{
    config(
        unique_key='member_id',
        strategy='check',
        hard_deletes='invalidate',
        check_cols=[
            'full_name', 'email', 'city', 'region', 'job_title', 'status', 'level', 'rate', 'hired_on', 'is_deleted',
        ],
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
where not is_deleted

{% endsnapshot %}
