"""Open Dental, as a database: an invented dental practice, in MariaDB, MySQL or PostgreSQL.

`practice.Practice` is the practice: two years of it, and the books it keeps itself. `fill.fill` writes it into a
database, `live.live_on` lets it work on for a day, `scale.scale` fills any table with any number of rows.
"""
