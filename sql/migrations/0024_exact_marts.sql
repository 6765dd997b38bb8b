-- Lacrei Saude: exact numbers of small groups of people, from which those that may be read are made.

create schema lacreisaude_mart_exact authorization etl_transformer;
comment on schema lacreisaude_mart_exact is
'Numbers of groups of people, exact: cells of one and two too. For no reader; lacreisaude_mart has what may be read.';

grant usage on schema lacreisaude_mart_exact to etl_loader;
alter default privileges for role etl_transformer in schema lacreisaude_mart_exact grant select on tables to etl_loader;
