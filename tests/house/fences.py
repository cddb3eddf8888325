"""Finds the commands in a Markdown page, so that tests can run what a reader would type."""

import dataclasses
import re
import shlex
from collections.abc import Iterator

SHELLS = {"sh": "sh", "shell": "sh", "console": "sh", "bash": "bash"}
SEPARATORS = {"|", "|&", "||", "&&", ";", ";;", "&", "(", ")", "{", "}", "!", "\n"}
REDIRECTS = {">", ">>", "<", "<<", "<<<", ">&", "&>", ">|"}

_FENCE = re.compile(r"^(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})[ \t]*(?P<info>[^`]*)$")
_ASSIGNMENT = re.compile(r"^[A-Za-z_]\w*=")


class FenceError(ValueError):
    """A page whose fences cannot be understood: never closed, or with an unknown word behind the language."""


@dataclasses.dataclass(frozen=True)
class Block:
    """One fenced block: the 1-based line of its opening fence, its language, its text, and whether it is `long`."""

    line: int
    language: str
    text: str
    is_long: bool = False
    why_long: str = ""

    @property
    def script(self) -> str:
        """What a reader types: in a `console` block the lines behind a `$ ` prompt, without the answers."""
        if self.language != "console":
            return self.text
        typed = [line[2:] for line in self.text.splitlines() if line.startswith(("$ ", "> "))]
        return "".join(f"{line}\n" for line in typed)


def blocks(page: str) -> Iterator[Block]:
    """All fenced blocks of a Markdown page, in order.

    Raises FenceError when a fence is not closed, or a shell block's info string says anything but
    `sh`, `sh long` or `sh long: reason`.
    """
    lines = enumerate(page.splitlines(), 1)
    for number, line in lines:
        opening = _FENCE.match(line)
        if not opening:
            continue
        body = []
        for _, inner in lines:
            if re.fullmatch(rf"[ \t]*{re.escape(opening['fence'])}{opening['fence'][0]}*[ \t]*", inner):
                break
            body.append(inner.removeprefix(opening["indent"]))
        else:
            raise FenceError(f"line {number}: this fence is never closed")
        yield _block(number, opening["info"].strip(), "".join(f"{inner}\n" for inner in body))


def _block(line: int, info: str, text: str) -> Block:
    language, _, rest = info.partition(" ")
    if language not in SHELLS or not rest.strip():
        return Block(line, language, text)
    word, _, why = rest.partition(":")
    if word.strip() != "long":
        raise FenceError(
            f"line {line}: {rest.strip()!r} behind {language!r} means nothing; the only such word is 'long'"
        )
    return Block(line, language, text, is_long=True, why_long=why.strip())


def shell_blocks(page: str) -> list[Block]:
    """The blocks that hold commands for a shell."""
    return [block for block in blocks(page) if block.language in SHELLS]


def commands(script: str) -> list[list[str]]:
    """The simple commands of a shell script as words, without assignments before them and redirections.

    Enough of a shell's grammar for `long` blocks, which hold plain commands; not for loops or here-documents.
    """
    found: list[list[str]] = []
    for line in script.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words: list[str] = []
        skip_next = False
        for word in [*lexer, "\n"]:
            if word in SEPARATORS:
                found.append(words)
                words = []
            elif word in REDIRECTS:
                skip_next = True
                words = words[:-1] if words[-1:] == ["2"] else words
            elif skip_next:
                skip_next = False
            elif words or not _ASSIGNMENT.match(word):
                words.append(word)
    return [words for words in found if words]


def inline_commands(page: str) -> list[tuple[int, list[str]]]:
    """The `make ...` and `tallybook ...` in running text, as (line, words); fenced blocks are left out.

    A span with a placeholder (`tallybook …`, `make TARGET`, `tallybook check FILE`) gives the words before it.
    """
    fenced: set[int] = set()
    for block in blocks(page):
        fenced.update(range(block.line, block.line + block.text.count("\n") + 2))
    found = []
    for number, line in enumerate(page.splitlines(), 1):
        for span in [] if number in fenced else re.findall(r"(?<!`)`((?:make|tallybook) [^`]+)`(?!`)", line):
            words = []
            for word in span.split():
                if not re.fullmatch(r"[a-z-][\w=./-]*|[A-Z_]+=.*", word):
                    break
                words.append(word)
            if len(words) > 1:
                found.append((number, words))
    return found
