"""Random values of any struct that the contracts know: what the types allow, beyond what the door would let in."""

from functools import cache
from typing import Any, Final

import msgspec
from hypothesis import strategies as st
from msgspec import inspect as mi

from schemas import facts, pages, posting
from schemas.avro.contracts import SCHEMAS

INT64: Final = st.sampled_from(
    [0, 1, -1, 63, 64, -64, -65, 8191, 8192, -8192, 2**20, 2**41, 2**42, -(2**55), 2**63 - 1, -(2**63)]
) | st.integers(-(2**63), 2**63 - 1)
TEXT: Final = st.sampled_from(["", "a", "é", "日本", "🎈" * 20, "x" * 64, "x" * 9_000]) | st.text(max_size=20)
BYTES: Final = st.binary(max_size=20) | st.just(bytes(9_000))

STRUCTS: Final[dict[str, type[msgspec.Struct]]] = {
    name: kind
    for module in (facts, pages, posting)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct)
}
TOP_STRUCTS: Final = [STRUCTS[name] for name in SCHEMAS]


@cache
def values(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Values of a struct: int64 extremes, all of Unicode, None and empty and long sequences where allowed."""
    described = mi.type_info(kind)
    if not isinstance(described, mi.StructType):
        raise TypeError(f"{kind.__name__} is no struct")
    return st.builds(kind, *(_of(field.type) for field in described.fields))


def _of(kind: mi.Type) -> st.SearchStrategy[Any]:  # noqa: PLR0911 - one return for each kind of type
    match kind:
        case mi.IntType():
            return INT64
        case mi.StrType():
            return TEXT
        case mi.BytesType():
            return BYTES
        case mi.BoolType():
            return st.booleans()
        case mi.NoneType():
            return st.none()
        case mi.DictType():
            return st.dictionaries(TEXT, TEXT, max_size=3)
        case mi.VarTupleType():
            return st.lists(_of(kind.item_type), max_size=3).map(tuple)
        case mi.UnionType():
            return st.one_of(*(_of(branch) for branch in kind.types))
        case mi.StructType():
            return values(kind.cls)
    raise TypeError(f"no values of {kind}")
