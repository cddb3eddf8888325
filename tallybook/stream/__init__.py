"""A deployment on Kafka: its settings, stages, status and supervision."""
