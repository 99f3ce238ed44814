from .report import Report as Report
from .report import draw_pictures as draw_pictures
from .report import write_report as write_report
