"""Remembers when accounts have work that is due, so that a tick looks at these accounts alone."""

from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush


class DueCalendar:
    """Instants (UTC ms), each with the members that were registered for it.

    An account is registered for the earliest instant at which it has work, anew whenever that changes. So it is in the
    calendar once, beside instants that still wait for their tick although the work was done; these do no harm.
    """

    def __init__(self) -> None:
        self._members: dict[int, str | list[str]] = {}  # most instants have one member, or very many
        self._instants: list[int] = []  # a heap of the keys

    def register(self, due_at: int, member_id: str) -> None:
        """Note that a member has work at an instant."""
        known = self._members.get(due_at)
        if known is None:
            self._members[due_at] = member_id
            heappush(self._instants, due_at)
        elif isinstance(known, list):
            known.append(member_id)
        elif known != member_id:
            self._members[due_at] = [known, member_id]

    def due(self, until: int) -> list[str]:
        """The members registered for an instant up to `until`, each once, in order of their ids' bytes."""
        members: set[str] = set()
        for due_at in self._instants_up_to(until):
            members.update(_listed(self._members[due_at]))
        return sorted(members)  # UTF-8 keeps the order of code points, which is the order of str

    def pass_by(self, until: int) -> None:
        """Forget every instant up to `until`: its work is done."""
        while self._instants and self._instants[0] <= until:
            del self._members[heappop(self._instants)]

    def registered(self, members: Iterable[str]) -> list[tuple[int, list[int]]]:
        """All instants, each with the places that its members have among `members`."""
        places = {member_id: place for place, member_id in enumerate(members)}
        return [(due_at, [places[each] for each in _listed(those)]) for due_at, those in self._members.items()]

    def restore(self, members: Sequence[str], registered: Iterable[tuple[int, list[int]]]) -> None:
        """Take over what `registered` gave for these members; raises IndexError if it was for more of them."""
        self._members = {
            due_at: members[places[0]] if len(places) == 1 else [members[place] for place in places]
            for due_at, places in registered
        }
        self._instants = sorted(self._members)  # which is a heap

    def _instants_up_to(self, until: int) -> Iterator[int]:
        """The instants up to `until`; in a heap nothing is due before its parent, so the search stops early."""
        instants, places = self._instants, [0]
        while places:
            place = places.pop()
            if place < len(instants) and instants[place] <= until:
                yield instants[place]
                places += (2 * place + 1, 2 * place + 2)


def _listed(members: str | list[str]) -> list[str]:
    return [members] if isinstance(members, str) else members
