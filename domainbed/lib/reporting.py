"""Loading and grouping of records under DomainBed's import path; see domainbed.reports."""

from domainbed.reports.grouping import get_grouped_records
from domainbed.reports.records import load_records

__all__ = ["get_grouped_records", "load_records"]
