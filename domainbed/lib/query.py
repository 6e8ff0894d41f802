"""Q under DomainBed's import path; see domainbed.reports.query."""

from domainbed.reports.query import Q, hashable, make_selector_fn

__all__ = ["Q", "hashable", "make_selector_fn"]
