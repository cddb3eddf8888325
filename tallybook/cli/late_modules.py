"""Puts off the loading of a module that a library imports at its start and hardly ever uses."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


def put_off(module: str, name: str) -> None:
    """Have `from module import name` give a class that loads the module when the first object of it is made.

    To ask for anything else of the module loads it at once. A module that is loaded already stays as it is.
    """
    if module in sys.modules:
        return
    later = ModuleType(module)

    def load() -> ModuleType:
        if sys.modules.get(module) is later:
            del sys.modules[module]
        return import_module(module)

    def made(_: type, *args: Any, **named: Any) -> Any:
        return getattr(load(), name)(*args, **named)

    def other(asked: str) -> Any:
        if asked.startswith("__"):  # the import system looks whether there is a `__path__`, for one
            raise AttributeError(asked)
        return getattr(load(), asked)

    setattr(later, name, type(name, (), {"__new__": made}))
    setattr(later, "__getattr__", other)  # noqa: B010 -- a module's own hook, which no type declares
    sys.modules[module] = later
