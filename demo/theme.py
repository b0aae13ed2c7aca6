"""The demo's look: system fonts, one blue, and colors with enough contrast in light and dark mode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

CSS = tuple(Path(__file__).with_name(name) for name in ("demo.css", "layout.css", "labeling.css"))
FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
MONO = ("ui-monospace", "SF Mono", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace")
COLORS = {
    "body_background_fill": "*neutral_50",
    "body_background_fill_dark": "*neutral_950",
    "body_text_color": "*neutral_900",
    "body_text_color_dark": "*neutral_100",
    # The subdued grays of Base have less contrast than 4.5:1
    "body_text_color_subdued": "*neutral_600",
    "body_text_color_subdued_dark": "*neutral_300",
    "block_background_fill": "white",
    "block_background_fill_dark": "*neutral_900",
    "block_border_color": "*neutral_200",
    "block_border_color_dark": "*neutral_700",
    "block_shadow": "none",
    "block_label_text_color": "*neutral_700",
    "block_label_text_color_dark": "*neutral_200",
    "block_title_text_color": "*neutral_700",
    "block_title_text_color_dark": "*neutral_200",
    "block_info_text_color": "*neutral_600",
    "block_info_text_color_dark": "*neutral_300",
    "input_background_fill": "white",
    "input_background_fill_dark": "*neutral_800",
    # the border of a field needs a contrast of 3:1
    "input_border_color": "*neutral_500",
    "input_border_color_dark": "*neutral_500",
    "input_border_color_focus": "*primary_700",
    "input_border_color_focus_dark": "*primary_300",
    "input_border_width": "1px",
    "input_placeholder_color": "*neutral_600",
    "input_placeholder_color_dark": "*neutral_300",
    "button_primary_background_fill": "*primary_700",
    "button_primary_background_fill_hover": "*primary_800",
    "button_primary_background_fill_dark": "*primary_700",
    "button_primary_background_fill_hover_dark": "*primary_600",
    "button_primary_text_color": "white",
    "button_primary_text_color_dark": "white",
    "button_secondary_background_fill": "*neutral_100",
    "button_secondary_background_fill_hover": "*neutral_200",
    "button_secondary_background_fill_dark": "*neutral_800",
    "button_secondary_background_fill_hover_dark": "*neutral_700",
    "button_secondary_text_color": "*neutral_900",
    "button_secondary_text_color_dark": "*neutral_100",
    "button_cancel_background_fill": "#b91c1c",
    "button_cancel_background_fill_hover": "#991b1b",
    "button_cancel_background_fill_dark": "#b91c1c",
    "button_cancel_background_fill_hover_dark": "#991b1b",
    "button_cancel_text_color": "white",
    "button_cancel_text_color_dark": "white",
    "link_text_color": "*primary_700",
    "link_text_color_dark": "*primary_300",
    "slider_color": "*primary_700",
    "slider_color_dark": "*primary_400",
    "checkbox_background_color_selected": "*primary_700",
    "checkbox_border_color": "*neutral_500",
    "checkbox_border_color_dark": "*neutral_400",
}
"""Changes to Gradio's Base theme; `_dark` is for dark mode."""


def theme() -> Any:
    """Return the theme; it fetches no font, not even from the server."""
    from gradio import themes

    base = themes.Base(
        primary_hue=themes.colors.blue,
        secondary_hue=themes.colors.blue,
        neutral_hue=themes.colors.slate,
        radius_size=themes.sizes.radius_lg,
        font=FONTS,
        font_mono=MONO,
    )
    base.set(**COLORS)
    return base
