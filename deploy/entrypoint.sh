#!/bin/sh
# Begin a command in the environment of this installation; where Dagster's home is set from outside, as Helm's chart does,
# that is left alone.
set -eu
if [ -z "${DAGSTER_HOME:-}" ]; then
    environment=$(etl env)
    eval "$environment"
fi
exec "$@"
