"""Names the formats of inputs, apart from their readers, so that naming one loads none of them."""

from typing import Final, Literal, get_args

Format = Literal["json-lines", "csv", "avro", "parquet"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
