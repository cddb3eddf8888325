"""A read-only part of ClickHouse's HTTP interface, served by the process that holds the embedded tables."""
