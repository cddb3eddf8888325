"""Complete loyalty programmes as YAML, shipped as data: `importlib.resources.files("rulesets")` finds them."""
