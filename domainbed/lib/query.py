"""`domainbed.query` under DomainBed's import path."""

from domainbed.query import Q, hashable, make_selector_fn

__all__ = ["Q", "hashable", "make_selector_fn"]
