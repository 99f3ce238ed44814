"""The report's section with the models' answers to a few test images."""

from search.report.blocks import Block, Paragraph, Pictures
from search.report.run_view import RunView
from search.report.sections.section import section
from search.runs.answers import Answers


@section("answers", "Answers", order=15)
def answers(view: RunView) -> list[Block]:
    """A few test images, their targets, and the answers of each model; empty where none are stored."""
    paths = [view.folder.answers / f"{result.label}.json" for result in view.results]
    stored = [Answers.read(path) for path in paths if path.exists()]
    if not stored:
        return []
    rows = [("Image", *stored[0].images)]
    for name, targets in stored[0].targets.items():
        of_output = f": {name}" if name else ""
        rows.append((f"Right{of_output}", *targets))
        rows += [(f"{model.label.capitalize()}{of_output}", *model.outputs[name]) for model in stored]
    return [Paragraph("The same test images for all models."), Pictures(rows)]
