-- Lacrei Saude: four layers. Staging holds people, and is the loader's and the transformer's alone.

create schema lacreisaude_staging_01 authorization etl_loader;
create schema lacreisaude_staging_02 authorization etl_transformer;
create schema lacreisaude_model authorization etl_transformer;
create schema lacreisaude_mart authorization etl_transformer;
comment on schema lacreisaude_staging_01 is
'As the source has it, but for what is never to leave it. A comment on each column says what may be done with it.';
comment on schema lacreisaude_staging_02 is 'Typed and cleaned, one row a key.';
comment on schema lacreisaude_model is 'Dimensions and facts of people who have no name here. For no reader.';
comment on schema lacreisaude_mart is 'Numbers of groups of people. What may be read.';

grant usage on schema lacreisaude_staging_01 to etl_transformer;
alter default privileges for role etl_loader in schema lacreisaude_staging_01 grant select on tables to etl_transformer;
grant usage on schema lacreisaude_mart to etl_reader, etl_personal_reader;

-- Which key of a source its pseudonyms are made with. The key itself is in no database.
create table etl.pseudonym_key (
    source text,
    version integer,
    check_value text not null,
    since timestamptz not null default now(),
    made_by text not null,
    why text not null,
    primary key (source, version)
);
alter table etl.pseudonym_key owner to etl_loader;
comment on table etl.pseudonym_key is
'Versions of the secrets that pseudonyms are made with: a value by which each is known again, who set it and why.';
