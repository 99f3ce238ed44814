"""The report's section on what the models answer to a few test images."""

from search.report.blocks import Block, Paragraph, Pictures
from search.report.run_view import RunView
from search.report.sections.section import section
from search.runs.answers import Answers


@section("answers", "Answers", order=15)
def answers(view: RunView) -> list[Block]:
    """A few test images, what is right, and the answer of each model of the comparison; nothing without any."""
    paths = {result.label: view.folder.answers / f"{result.label}.json" for result in view.results}
    kept = [Answers.read(path) for path in paths.values() if path.exists()]
    if not kept:
        return []
    rows = [("Image", *kept[0].images)]
    for name, targets in kept[0].targets.items():
        of_output = f": {name}" if name else ""
        rows.append((f"Right{of_output}", *targets))
        rows += [(f"{one.label.capitalize()}{of_output}", *one.outputs[name]) for one in kept]
    return [Paragraph("The same test images for all models."), Pictures(rows)]
