"""The shared language of Tallybook: facts, entries, postings, their canonical form and their Avro contracts."""
