"""The benchmark on Apache Kafka: our processes and two peers on one broker, over the same Avro purchases."""
