"""What every view answers, in a form that can be compared."""

from projections.sql_files import sql_files
from projections.store import Store


def answers(store: Store) -> dict[str, list[bytes]]:
    """The rows of every reader view, in no order of their own."""
    return {
        view.name: sorted(store.export(f"SELECT * FROM {view.name}", "JSONEachRow").splitlines())
        for view in sql_files("views")
    }
