"""One embedded Temporal and one set of fake vendors; sources of the applications are no tests of ours."""

from tests.e2e.conftest import shared_theatre, theatre

__all__ = ["shared_theatre", "theatre"]

collect_ignore = ["corpus"]
