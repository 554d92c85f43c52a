"""A placeholder written by simulated models; it does not implement the request."""

from generic_demo.checklist import Checklist
from generic_demo.render import NOTICE, to_text

__all__ = ["NOTICE", "Checklist", "to_text"]
