CREATE DATABASE IF NOT EXISTS tallybook_rows
COMMENT 'Tables of Tallybook, written by the projector alone; readers use the views of the database tallybook'
