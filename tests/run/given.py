"""What was given on the command line of `python -m tests.run`, and lines for whoever watches."""

import dataclasses
import sys


@dataclasses.dataclass(frozen=True)
class Given:
    """A command with its options; one that a command does not have stands at its default."""

    command: str
    seed: str = "1"
    count: int = 1
    processes: int = 1
    seconds: float = 0.0
    only: tuple[str, ...] = ()
    brief: bool = False

    @property
    def is_timed(self) -> bool:
        """Whether it goes on until its seconds are over."""
        return self.count == 0 and self.seconds > 0

    def again(self, **changed: object) -> str:
        """The command that does the same, or with some options changed."""
        given = {"seed": self.seed, "count": self.count, **changed}
        return f"again: python -m tests.run {self.command} " + " ".join(f"--{name} {to}" for name, to in given.items())


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
