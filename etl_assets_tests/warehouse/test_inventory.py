"""The inventory costs the tables that there are, and not the loads that there were."""

import psycopg


def test_the_last_load_of_each_table_is_found_by_an_index(connection: psycopg.Connection) -> None:
    connection.execute("set local enable_seqscan = off")
    plan = [line for (line,) in connection.execute("explain (costs off) select * from etl.staging_inventory")]
    by_relation = [line for line in plan if "Index Cond: (relation = (tables.relation)::text)" in line]
    assert len(by_relation) == 2, "\n".join(plan)
