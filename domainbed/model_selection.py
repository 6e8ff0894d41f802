"""Model selection under DomainBed's import path; see domainbed.reports.selection."""

from domainbed.reports.selection import (
    IIDAccuracySelectionMethod,
    IIDAutoLRAccuracySelectionMethod,
    LeaveOneOutSelectionMethod,
    OracleSelectionMethod,
    SelectionMethod,
    get_test_records,
)

__all__ = [
    "IIDAccuracySelectionMethod",
    "IIDAutoLRAccuracySelectionMethod",
    "LeaveOneOutSelectionMethod",
    "OracleSelectionMethod",
    "SelectionMethod",
    "get_test_records",
]
