"""Launchers under DomainBed's import path; see domainbed.sweeping.launchers."""

from domainbed.sweeping.launchers import (
    REGISTRY,
    dummy_launcher,
    local_launcher,
    multi_gpu_launcher,
    slurm_launcher,
)

__all__ = ["REGISTRY", "dummy_launcher", "local_launcher", "multi_gpu_launcher", "slurm_launcher"]
