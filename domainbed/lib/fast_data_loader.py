"""DomainBed's loaders under its import path; see domainbed.running.infinite_loaders."""

from domainbed.running.infinite_loaders import (
    FastDataLoader,
    InfiniteDataLoader,
    InfiniteDataLoaderWithoutReplacement,
)

__all__ = ["FastDataLoader", "InfiniteDataLoader", "InfiniteDataLoaderWithoutReplacement"]
