"""The books as topics of a Kafka: one of the two adapters behind the Log port."""
