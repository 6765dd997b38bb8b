-- One row per hash of an entry of the audit trail, by which it is found out if the entry was changed.

with

kept_hashes as (
    select * from {{ source('open_dental', 'securityloghash') }}
)

select
    securityloghashnum as security_log_hash_num,
    {{ foreign_key('securitylognum') }} as security_log_num,
    {{ cleaned('loghash') }} as log_hash
from kept_hashes
