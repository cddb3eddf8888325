CREATE DATABASE IF NOT EXISTS tallybook
COMMENT 'Views of Tallybook for readers: current edition only, one row per thing'
