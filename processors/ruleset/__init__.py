"""From a ruleset's YAML text to a checked model: errors, warnings, examples and the JSON Schema for editors."""
