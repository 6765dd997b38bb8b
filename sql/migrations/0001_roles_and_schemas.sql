-- Who may do what. The login that runs migrations must be able to create roles, or find these created.

do $$
declare
    wanted text;
begin
    foreach wanted in array array['etl_loader', 'etl_transformer', 'etl_reader'] loop
        if not exists (select from pg_roles where rolname = wanted) then
            execute format('create role %I nologin', wanted);
        end if;
        if not pg_has_role(current_user, wanted, 'set') then
            execute format('grant %I to current_user', wanted);
        end if;
    end loop;
end
$$;

-- The control plane: written by loads, read by everyone who operates them.
create schema etl authorization etl_loader;

-- Operating room: staging in the brief's schema, models beside it.
create schema stg authorization etl_loader;
create schema operating_room_staging authorization etl_transformer;
create schema operating_room authorization etl_transformer;

grant usage on schema etl, stg to etl_transformer;
alter default privileges for role etl_loader in schema etl, stg grant select on tables to etl_transformer;

grant usage on schema operating_room to etl_reader;
