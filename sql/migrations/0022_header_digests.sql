-- Which chunks of a PostgreSQL source's tables were read, by the headers of their rows.

set local role etl_loader;

create table etl.header_digest (
    relation text not null,
    chunk bigint not null,
    storage text not null,
    rows bigint not null,
    checksum text not null,
    key_hashes bigint[] not null,
    primary key (relation, chunk)
);
comment on table etl.header_digest is
'What the row headers of each chunk of a table''s pages came to when it was read; while they do so it is not read.';
comment on column etl.header_digest.storage is
'The server, its timeline, the database, the table''s file and its columns: under others the digests are of no use.';
comment on column etl.header_digest.checksum is 'A sum of hashes: where each row lies, and which transaction wrote it.';
comment on column etl.header_digest.key_hashes is
'Hashes of the keys that it had, as they are here: those that no chunk has any more were deleted. Empty without a key.';

reset role;
