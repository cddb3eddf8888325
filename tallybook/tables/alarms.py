"""Tells people of keys under which facts of several members came, unless somebody has acknowledged them."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from projections.answers.queries import KeyOfTwoMembers
from projections.audits.run import row_text
from tallybook.folder.acknowledged import by_audit, read_acknowledged
from tallybook.folder.folder import Folder
from tallybook.screen import counted

AUDIT: Final = "keys_of_two_members"
MAX_KEYS_TOLD: Final = 20


def not_acknowledged(folder: Folder, found: Iterable[KeyOfTwoMembers]) -> list[KeyOfTwoMembers]:
    """Give the keys that nobody has acknowledged with just these members."""
    known = by_audit(read_acknowledged(folder)).get(AUDIT, {})
    return [one for one in found if row_text(msgspec.to_builtins(one)) not in known]


def alarms_of(found: Sequence[KeyOfTwoMembers]) -> list[str]:
    """Say in lines which keys have several members; no line if there is none."""
    if not found:
        return []
    lines = [f"{counted(len(found), 'key')} of several members: each of them has earned, and probably only one bought"]
    lines += [f"  {one.key}: {', '.join(one.member_ids)}" for one in found[:MAX_KEYS_TOLD]]
    if len(found) > MAX_KEYS_TOLD:
        lines.append(f"  and {len(found) - MAX_KEYS_TOLD:,} more: see `tallybook audit`")
    lines.append("see `tallybook explain EVENT_ID`; when it is looked into: `tallybook acknowledge --help`")
    return lines
