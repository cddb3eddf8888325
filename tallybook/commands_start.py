"""How one begins: `init` a folder, print an `example` event, `check` a file, or watch the `demo`."""
