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
