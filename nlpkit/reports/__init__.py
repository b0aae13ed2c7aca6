"""Reports: scores and sections, rendered as HTML, Markdown and a model card."""
