"""A real Apache Kafka and a schema registry on loopback, so that demo, tests and benchmarks need no Docker."""
