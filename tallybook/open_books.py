"""Opens a programme's books for a reader, whether they lie in the folder's files or on Kafka."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from books.log import LogReader
from tallybook.folder.folder import Folder


@contextmanager
def open_books(folder: Folder) -> Iterator[LogReader]:
    """Open the committed books, read-only.

    Raises:
        BooksError: there are no books, or damaged ones, or Kafka cannot be reached.
        StreamRefused: the settings of the stream are not usable.
    """
    if not folder.is_stream:
        with folder.reading() as log:
            yield log
        return
    from tallybook.stream.open import open_stream_log  # an installation for files alone has no Kafka client

    with closing(open_stream_log(folder.root)) as stream_log:
        yield stream_log
