"""The rulebook and the law's record over HTTP and as pages."""

from bayanihan.web.law.answers import law_handlers
from bayanihan.web.law.desk import Desk
from bayanihan.web.law.docket import Docket
from bayanihan.web.law.pages import law_pages
from bayanihan.web.law.record_api import record_handlers
from bayanihan.web.law.shelf_api import shelf_handlers

__all__ = ["Desk", "Docket", "law_handlers", "law_pages", "record_handlers", "shelf_handlers"]
