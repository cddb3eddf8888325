"""Names the exit codes of the command line, by which scripts tell a refusal, a finding and a fault apart."""

from enum import IntEnum


class Exit(IntEnum):
    """What a command's exit code means; `tallybook --help` prints this table."""

    DONE = 0
    FAULT = 1
    USAGE = 2
    REFUSED = 3
    FOUND = 4
    HELD = 5
    INTERRUPTED = 130


MEANINGS = {
    Exit.DONE: "done",
    Exit.FAULT: "something unexpected: please report it with what was printed",
    Exit.USAGE: "the command was typed wrongly",
    Exit.REFUSED: "a file, ruleset or folder was refused; nothing was changed",
    Exit.FOUND: "the command did its work and found something: refused records, conflicts, differences, audits' rows",
    Exit.HELD: "another process holds the folder, or has taken over what this one did",
    Exit.INTERRUPTED: "stopped with Ctrl-C; what was committed is kept",
}
