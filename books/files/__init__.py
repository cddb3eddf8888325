"""The books as Avro files in a folder: one of the two adapters behind the Log port."""
