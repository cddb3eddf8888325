"""Turns source that Tallybook generates into functions: codecs from schemas, rules from rulesets.

Such source is made from checked data alone. It is kept where tracebacks and debuggers look for the lines of a file, so
that a newcomer can step through it.
"""

import linecache
from functools import lru_cache
from types import CodeType
from typing import Any, Final

MAX_SOURCES_KEPT: Final = 64


def define(title: str, source: str, names: dict[str, Any]) -> dict[str, Any]:
    """Run `source` with `names` as its globals and give them back, with all that it defines.

    `title` stands in tracebacks in place of a file's name. The globals stay open: what a function looks up only when it
    is called may be put into them afterwards.
    """
    exec(_compiled(title, source), names)  # noqa: S102 - made by this program from its own checked data
    return names


@lru_cache(MAX_SOURCES_KEPT)
def _compiled(title: str, source: str) -> CodeType:
    file = f"<{title}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    return compile(source, file, "exec")
