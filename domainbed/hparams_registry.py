"""Hyperparameters under DomainBed's import path; see domainbed.running.hparams."""

from domainbed.running.hparams import default_hparams, random_hparams

__all__ = ["default_hparams", "random_hparams"]
