"""The projection that runs on Kafka: from the book topics into ClickHouse."""
