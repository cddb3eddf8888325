"""Errors of working with Kafka, told apart by what can be done about them."""

from books.errors import BooksError


class KafkaUnreachable(BooksError):
    """The brokers do not answer (in time). Wait and try again: nothing is lost meanwhile."""

    def __init__(self, bootstrap: str, what: str) -> None:
        super().__init__(f"Kafka at {bootstrap} does not answer: {what}.")


class TransactionLost(KafkaUnreachable):
    """The broker knows nothing of a transaction that was to end; what became of it shows when its work is taken up."""

    def __init__(self, bootstrap: str, what: str) -> None:
        super().__init__(bootstrap, what)
        told = f"Kafka at {bootstrap} knows nothing of a transaction that was to end ({what})."
        self.args = (f"{told} What became of it is looked up, and what is missing is made again.",)


class TransactionAborted(BooksError):
    """A transaction could not be committed and is undone; what it held is to be made again from the books."""


class Fenced(BooksError):
    """Another process has taken over what this one held; it must let go, and has written nothing since."""


class KafkaRefused(BooksError):
    """Kafka refuses what was asked, and will again: rights, settings, a message that is too large."""


class TopicsMissing(BooksError):
    """The deployment has no topics yet, or not all of them."""

    def __init__(self, missing: list[str]) -> None:
        self.missing = missing
        super().__init__(f"There is no topic {', '.join(missing)}: run `tallybook topics create` first.")
