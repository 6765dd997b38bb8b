"""Lacrei Saude, as a database: an invented network of patients and professionals, in PostgreSQL, in both its schemas.

`community.Community` is who there is and what happened, the same in either schema, with the faults that a loader must
bear. `fill.fill` writes it into a database, `live.advance` lets it live on, `planted.planted` lists what is personal.
"""
