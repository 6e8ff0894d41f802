"""Registries: what this repository, installed packages and running code offer under a name."""

import logging
import sys
from collections.abc import Iterable
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from domainbed.errors import UnknownName, nearest

T = TypeVar("T")
C = TypeVar("C")
log = logging.getLogger(__name__)


class Registry(Generic[T]):
    """Entries by name: those added, and those of an entry point group, which is loaded when a name is first asked for.

    Args:
        kind: what an entry is, for error messages, such as "Algorithm".
        group: the entry point group, such as "domainbed.algorithms".
        added: the dictionary that holds the entries, where other code may write to it too.
    """

    def __init__(self, kind: str, group: str, added: dict[str, T] | None = None) -> None:
        self.kind, self.group = kind, group
        self.added: dict[str, T] = {} if added is None else added
        self._loaded = False

    def add(self, name: str, entry: T) -> None:
        """Register `entry` under `name`.

        Raises:
            ValueError: another entry has that name.
        """
        present = self.added.get(name, entry)
        if present is not entry:
            where = getattr(present, "__module__", type(present).__module__)
            raise ValueError(f"{name} is registered already, by {where}; choose another name")
        self.added[name] = entry

    def entries(self) -> dict[str, T]:
        """Every entry by its name, in the order of registration, those of installed packages last."""
        if not self._loaded:
            self._loaded = True  # first, since a package being loaded may look names up
            self._load()
        return dict(self.added)

    def get(self, name: str, also: Iterable[str] = ()) -> T:
        """The entry of that name.

        Args:
            name: as registered.
            also: further names that the error message may propose.

        Raises:
            UnknownName: there is none; the message has the nearest names.
        """
        entries = self.entries()
        if name not in entries:
            raise UnknownName(f"{self.kind} not found: {name}{nearest(name, [*entries, *also])}")
        return entries[name]

    def _load(self) -> None:
        """Add what installed packages offer. A broken one is reported and skipped."""
        for point in entry_points(group=self.group):
            try:
                self.add(point.name, point.load())
            except Exception as error:
                log.warning("plugin %s = %s skipped: %s: %s", point.name, point.value, type(error).__name__, error)


class ClassRegistry(Registry[type[C]]):
    """Subclasses of `base` by name; those that other code sets as attributes of the module `group` are found too.

    As in DomainBed, `domainbed.algorithms.Mine = Mine` is enough, and an attribute set anew replaces the class
    registered under its name. Base classes, which the module exports but does not register, are no entries.
    """

    def __init__(self, kind: str, group: str, base: type[C]) -> None:
        super().__init__(kind, group)
        self.base = base

    def add(self, name: str, entry: type[C]) -> None:
        """As `Registry.add`; a TypeError for what is no subclass of `base`."""
        if not self._is_class(entry):
            raise TypeError(f"{name} must be a subclass of {self.base.__module__}.{self.base.__name__}, not {entry!r}")
        super().add(name, entry)

    def entries(self) -> dict[str, type[C]]:
        registered = super().entries()
        module = sys.modules[self.group]
        attributes = {
            name: value
            for name, value in vars(module).items()
            if self._is_class(value) and (name in registered or name not in module.__all__)
        }
        return registered | attributes

    def _is_class(self, value: object) -> bool:
        return isinstance(value, type) and issubclass(value, self.base)
