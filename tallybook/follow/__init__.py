"""`run --follow`: takes in what appears in an inbox or on standard input, in rounds cut by arrival."""
