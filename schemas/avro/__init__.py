"""The Avro contracts (*.avsc) of facts and books, and everything that turns their bytes into records and back."""
