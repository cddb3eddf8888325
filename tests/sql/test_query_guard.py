"""No query of a reader writes a file, reads one, or leaves the machine; what only reads the tables is answered."""

from pathlib import Path

import pytest

from projections.clickhouse.client import ClickHouse
from projections.store import QueryFailed

ATTACKS = [
    "SELECT 1 INTO OUTFILE '{target}'",
    "SELECT 1 INTO OUTFILE '{target}' TRUNCATE",
    "SELECT 1 /* a */ INTO -- b\n outfile '{target}' APPEND FORMAT CSV",
    "(SELECT 1) UNION ALL (SELECT 2) INTO OUTFILE '{target}'",
    "EXPLAIN SELECT 1 INTO OUTFILE '{target}'",
    "SHOW TABLES INTO OUTFILE '{target}'",
    "DESCRIBE balances INTO OUTFILE '{target}'",
    "INSERT INTO FUNCTION file('{target}', 'CSV') SELECT 1",
    "INSERT INTO TABLE FUNCTION file('{target}', 'CSV', 'x UInt8') VALUES (1)",
    "EXPLAIN INSERT INTO FUNCTION file('{target}') SELECT 1",
    "SELECT 1; SELECT 2 INTO OUTFILE '{target}'",
    "EXPLAIN AST SELECT 1; SELECT 2 INTO OUTFILE '{target}'",
    "SELECT 1 PARALLEL WITH INSERT INTO FUNCTION file('{target}') SELECT 1",
    "SELECT * FROM file('{secret}', 'LineAsString')",
    "SELECT * FROM `file`('{secret}', 'LineAsString')",
    "DESCRIBE file('{secret}', 'CSV')",
    "SELECT file('{secret}')",
    "SELECT * APPLY(file) FROM (SELECT '{secret}' AS name)",
    "SELECT * APPLY(name -> file(name)) FROM (SELECT '{secret}' AS name)",
    "SELECT arrayMap(file, ['{secret}'])",
    "SELECT * FROM default.`{secret}`",
    'SELECT * FROM "default"."{secret}"',
    "SELECT 'a' IN default.`{secret}`",
    "SELECT 'a' IN file('{secret}', 'LineAsString')",
    "WITH a AS (SELECT * FROM file('{secret}', 'LineAsString')) SELECT * FROM a",
    "SELECT * FROM view(SELECT * FROM file('{secret}', 'LineAsString'))",
    "SELECT * FROM merge('default', '.*')",
    "SELECT * FROM url('http://127.0.0.1:9/', 'CSV', 'x String')",
    "SELECT * FROM URL('http://127.0.0.1:9/', 'CSV', 'x String')",
    "SELECT * FROM s3('http://127.0.0.1:9/a', 'CSV', 'x String')",
    "SELECT * FROM remote('127.0.0.1:9', system.one)",
    "SELECT * FROM mysql('127.0.0.1:9', 'a', 'b', 'c', 'd')",
    "SELECT * FROM sqlite('{target}', 'a')",
    "SELECT * FROM executable('cat', 'CSV', 'x String')",
    "SELECT * FROM python('import os')",
    "SELECT * FROM eval('SELECT 1') SETTINGS allow_experimental_eval_table_function = 1",
    "SELECT 'x' AS x SETTINGS additional_result_filter = 'file(x) = 1'",
    "SELECT 1 SETTINGS max_threads = 1, readonly = 0",
    "SELECT 'x' AS x SETTINGS max_threads = 1.5, additional_result_filter = 'file(x) = 1'",
    "SELECT 'x' AS x SETTINGS max_threads = -1, additional_result_filter = 'file(x) = 1'",
    "SELECT 'x' AS x SETTINGS max_threads = [1], additional_result_filter = 'file(x) = 1'",
    "SELECT 'x' AS x SETTINGS max_threads = {n:UInt8}, additional_result_filter = 'file(x) = 1'",
    "SET readonly = 0",
    "USE default",
    "SHOW TABLES FROM default",
    "SYSTEM FLUSH LOGS",
    "BACKUP DATABASE tallybook TO File('{target}')",
    "SELECT 1 FORMAT CSV",
]
HARMLESS = [
    ("SELECT 'INTO OUTFILE ''x'' file(1)' AS a", b"INTO OUTFILE 'x' file(1)\n"),
    ("SELECT 1 -- INTO OUTFILE 'x'", b"1\n"),
    ("SELECT /* FROM file('x') */ 1;", b"1\n"),
    ("WITH a AS (SELECT 1 AS n) SELECT n FROM a", b"1\n"),
    ("WITH a AS (SELECT 1 AS n) SELECT b.n FROM a JOIN (SELECT 1 AS n) AS b USING n", b"1\n"),
    ("SELECT sum(n) FROM (SELECT 1 AS n UNION ALL SELECT 2)", b"3\n"),
    ("(SELECT 1) EXCEPT (SELECT 2)", b"1\n"),
    ("SELECT arrayMap(x -> x + 1, [1, 2])", b"[2,3]\n"),
    ("SELECT arrayJoin([1, 2]) AS n ORDER BY n", b"1\n2\n"),
    ("SELECT count() FROM numbers(3)", b"3\n"),
    ("SELECT * FROM values('x UInt8', 1)", b"1\n"),
    ("SELECT format('{} is {}', 'a', 'b') AS url", b"a is b\n"),
    ("SELECT count() > 0 FROM balances WHERE member_id IN (SELECT member_id FROM ledger)", b"1\n"),
    ("SELECT count() > 0 FROM tallybook_rows.ticks SETTINGS max_threads = 1, max_block_size = 10", b"1\n"),
    ("SELECT count() FROM (SELECT 1 SETTINGS final = true, max_threads = 1) SETTINGS max_threads = 1", b"1\n"),
    ("SELECT 1 SETTINGS max_block_size = 10 UNION ALL SELECT 1", b"1\n1\n"),
    ("SELECT settings = 1, 2 AS a FROM (SELECT 1 AS settings)", b"1\t2\n"),
    ("SELECT max(number) OVER (ORDER BY number) FROM numbers(1)", b"0\n"),
    ("SELECT 1 AS input WHERE input IN (1, 2)", b"1\n"),
    ("EXISTS TABLE balances", b"1\n"),
    ("SELECT 'é \\\\ \\' `' AS `a b`", "é \\ ' `\n".encode()),
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_query_that_does_more_than_read_is_refused(programme: ClickHouse, tmp_path: Path, attack: str) -> None:
    target, secret = tmp_path / "target.csv", tmp_path / "secret.csv"
    target.write_bytes(b"as it was\n")
    secret.write_bytes(b"nobody's business\n")
    query = attack.replace("{target}", str(target)).replace("{secret}", str(secret))
    with pytest.raises(QueryFailed, match=r"refused: |Multi-statements are not allowed|Syntax error"):
        programme.export(query, "TSVRaw")
    assert target.read_bytes() == b"as it was\n"
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["secret.csv", "target.csv"]


@pytest.mark.parametrize(("query", "answer"), HARMLESS)
def test_a_query_that_reads_is_answered(programme: ClickHouse, query: str, answer: bytes) -> None:
    assert programme.export(query, "TSVRaw") == answer


@pytest.mark.parametrize("query", ["SHOW TABLES", "DESCRIBE balances", "SHOW CREATE VIEW balances", "EXPLAIN SELECT 1"])
def test_tables_can_be_looked_at(programme: ClickHouse, query: str) -> None:
    assert programme.export(query, "TSVRaw")
