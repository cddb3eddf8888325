"""Mappings for the exports of well-known shops and tills, one YAML file each, and what makes a mapping of one."""
