"""matplotlib's backend in sessions: Agg, whose show() says how to get the picture.

The image names it in MPLBACKEND; matplotlib imports it with its first figure.
"""

from __future__ import annotations

from typing import Any

from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg

from . import plpy

__all__ = ["FigureCanvas", "FigureManager"]


def _say(what: str) -> None:
    """Tell the user, by a NOTICE, where the picture is to be had."""
    plpy.notice("there is no screen here on which figures could be shown",
                hint=f"SELECT py_plot('{what}') in the same session returns the picture.")


class FigureManager(FigureManagerBase):
    """Manages a figure that is never on a screen."""

    def show(self) -> None:
        """Say how to get the picture: what figure.show() does."""
        _say("plt.gcf()")

    @classmethod
    def pyplot_show(cls, *, block: bool | None = None) -> None:
        """Say how to get the picture: what plt.show() does."""
        _say("plt")


class FigureCanvas(FigureCanvasAgg):
    """Draws a figure into memory."""

    manager_class: Any = FigureManager
