-- GoHighLevel has a reader: its tables are made as declared, like those of all other jobs, in place of the empty ones.

set local role etl_loader;

do $$
declare
    relation regclass;
    has_rows boolean;
begin
    foreach relation in array array[
        'trialsync_staging.ghl_contacts_staging', 'trialsync_staging.ghl_custom_fields_staging'
    ]::regclass[] loop
        execute format('select exists (select from %s)', relation) into has_rows;
        if has_rows then
            raise exception '% has rows, which no load of ours has written. Nothing was changed.', relation
                using hint = 'Move them elsewhere: the next load makes the table anew and reads all contacts.';
        end if;
    end loop;
end
$$;

drop table trialsync_staging.ghl_contacts_staging, trialsync_staging.ghl_custom_fields_staging;

reset role;
