"""The processors that run on Kafka: intake, ticker and scoring, each exactly once."""
