-- What was published of marts with suppressed cells: what a reader may know who kept an earlier release.

set role etl_loader;

create table etl.release (
    release_id bigint generated always as identity primary key,
    source text not null,
    released_at timestamptz not null default now(),
    batch_id uuid references etl.batch (batch_id) on delete set null,
    k integer not null,
    hidden integer not null
);
create index release_of_source on etl.release (source, release_id);
comment on table etl.release is
'Releases of published marts: since when, of how many persons at least, and how many cells are hidden.';

create table etl.released_cell (
    release_id bigint references etl.release (release_id) on delete cascade,
    cells text,
    dimensions text [],
    number bigint,
    primary key (release_id, cells, dimensions)
);
comment on table etl.released_cell is
'The numbers of the newest releases, as readers saw them: null is a hidden one. `cells` is mart and column.';

grant select, insert, delete on etl.release, etl.released_cell to etl_transformer;

reset role;
