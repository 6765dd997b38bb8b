-- Dagster's own records, beside the warehouse; run once, when the server's volume is empty.
create database dagster;
