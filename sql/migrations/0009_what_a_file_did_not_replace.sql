-- A file that brings far fewer rows for a date than are held does not speak of all of it: it does not replace the date.

set local role etl_loader;

alter table etl.file_slice add column rows_held bigint;
comment on column etl.file_slice.rows_held is
'Where the file did not replace the date, for it brings too few rows: how many were held. Null once it did, or a later'
' file has.';
create index on etl.file_slice (slice) where rows_held is not null;

reset role;
