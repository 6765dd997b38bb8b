-- What the records of a service's tables were seen to hold: fields, their JSON types, and the values of codes; and how
-- far a list was read whose records say when they were changed.

set local role etl_loader;

create table etl.observed_field (
    relation text not null,
    instance text not null,
    path text not null,
    json_type text not null check (json_type in ('null', 'string', 'number', 'boolean', 'object', 'array')),
    first_seen_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),
    first_batch_id uuid not null references etl.batch,
    gone_since timestamptz,
    witness bigint,
    primary key (relation, instance, path, json_type)
);
comment on table etl.observed_field is
'Fields of a service''s records, by the JSON type they were seen with, among records that were new or had changed.';
comment on column etl.observed_field.instance is 'By its name; empty where the service has one.';
comment on column etl.observed_field.path is
'Such as study.id, or arms[].Name for the elements of a list; * stands for names that are no words, such as those of a map.';
comment on column etl.observed_field.json_type is 'An empty text and an empty list count as null: nothing is there.';
comment on column etl.observed_field.last_seen_at is 'In a record that was new or had changed.';
comment on column etl.observed_field.gone_since is 'When a whole read was found to have no record with it; null while one has.';
comment on column etl.observed_field.witness is 'The id of a row that had it when it was last searched for.';

create table etl.observed_value (
    relation text not null,
    instance text not null,
    path text not null,
    value text not null,
    first_seen_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),
    first_batch_id uuid not null references etl.batch,
    primary key (relation, instance, path, value)
);
comment on table etl.observed_value is
'Values of the fields that are declared as codes or enumerations; of no other field. What does not read as a code is withheld.';

grant select on etl.observed_field, etl.observed_value to etl_transformer;

alter table etl.job_state add column read_upto timestamptz, add column whole_read_at timestamptz;
comment on column etl.job_state.read_upto is
'Up to which stamp of its records a list has been read that is read incrementally; the next read begins before it.';
comment on column etl.job_state.whole_read_at is 'When such a list was last read whole.';

alter table etl.job_run add column changed_since timestamptz;
comment on column etl.job_run.changed_since is
'From which stamp on records were asked for; null where the whole list was. What a run did not ask for has not vanished.';

reset role;
