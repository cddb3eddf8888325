"""Everything that talks to ClickHouse, embedded (chDB) or a server."""
