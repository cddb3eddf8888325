"""Tells people of keys under which facts of several members came, unless somebody has acknowledged them."""

from collections.abc import Iterable

import msgspec

from projections.answers.queries import KeyOfTwoMembers
from projections.audits.run import row_text
from tallybook.folder.acknowledged import by_audit, read_acknowledged
from tallybook.folder.folder import Folder
from tallybook.screen import counted

AUDIT = "keys_of_two_members"
MAX_KEYS_TOLD = 20


def alarms_of(folder: Folder, found: Iterable[KeyOfTwoMembers]) -> list[str]:
    """Say in lines which keys have several members and are not acknowledged; no line if there is none."""
    known = by_audit(read_acknowledged(folder)).get(AUDIT, {})
    new = [one for one in found if row_text(msgspec.to_builtins(one)) not in known]
    if not new:
        return []
    lines = [
        f"{counted(len(new), 'key')} of several members: each member earned by it, and probably only one of them bought"
    ]
    lines += [f"  {one.key}: {', '.join(one.member_ids)}" for one in new[:MAX_KEYS_TOLD]]
    if len(new) > MAX_KEYS_TOLD:
        lines.append(f"  and {len(new) - MAX_KEYS_TOLD:,} more: see `tallybook audit`")
    lines.append("see `tallybook explain EVENT_ID`; when it is looked into: `tallybook acknowledge --help`")
    return lines
