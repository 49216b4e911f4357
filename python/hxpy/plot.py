"""What py_plot and py_plot_text do: a value → a picture, or a chart made of characters.

Figures are matplotlib's.  It is imported by who draws with it, not here: a value that is no
figure, and an image without matplotlib, cost nothing.
"""

from __future__ import annotations

import base64
import importlib.util
import io
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import hxpy

from .errors import HxpyError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["lines", "picture"]

_SIDE = 10_000          # pixels of a picture's longer side, at most
_PIXELS = 32_000_000    # of it: 128 MB while it is drawn
_SEARCHED = 1000        # members of a container in which a figure is looked for
_DEPTH = 4


def picture(request: Mapping[str, Any]) -> bytes:
    """Return the picture of an expression's value: PNG, or SVG as UTF-8.

    request: `expr`, `format` ("png" or "svg"); `width` and `height` in inches and `dpi`, of
    figures alone, None for the figure's own.

    Raises HxpyError: 42846 for what is no picture, 22023 for sizes, 55000 for no figure.
    """
    form = request["format"]
    if form not in ("png", "svg"):
        raise HxpyError("22023", f'unknown format of pictures: "{form}"', "",
                        "Available formats: png, svg.")
    value = _evaluate(request["expr"])
    figure = _figure(value)
    if figure is not None:
        return _draw(figure, form, request["width"], request["height"], request["dpi"])
    data = _own_picture(value, form)
    if data is None:
        raise _no_picture(value, form)
    if any(request[name] is not None for name in ("width", "height", "dpi")):
        raise HxpyError("22023", "width, height and dpi are for figures of matplotlib, not for "
                                 f'a value of type "{_name(value)}"')
    return data


def lines(request: Mapping[str, Any]) -> list[str]:
    """Return the lines of a chart of an expression's value, made of characters.

    request: `expr`; `kind` of the chart or None; `width` and `height` in characters and lines,
    None for as many as fit; `blocks`: whether there are other characters than ASCII's.
    """
    from . import _chart

    return _chart.chart(_evaluate(request["expr"]), request["kind"], request["width"],
                        request["height"], request["blocks"])


def _evaluate(source: str) -> Any:
    if hxpy._evaluate is None:
        raise RuntimeError("there is no session")
    return hxpy._evaluate(source)


def _name(value: Any) -> str:
    """Return the name of a value's type, with its package where that is none of Python's."""
    kind = type(value)
    package = kind.__module__.partition(".")[0]
    return kind.__qualname__ if package in ("builtins", "__main__") else \
        f"{package}.{kind.__qualname__}"


# Figures ------------------------------------------------------------------------------


def _figure(value: Any) -> Figure | None:
    """Return the figure that a value is, belongs to or holds; None for none."""
    if "matplotlib" not in sys.modules:
        return None
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure, FigureBase

    pyplot = sys.modules.get("matplotlib.pyplot")
    if value is pyplot or value is sys.modules["matplotlib"]:
        return _current(pyplot)
    for artist in _artists(value, Artist, _DEPTH):
        figure: Any = artist if isinstance(artist, FigureBase) else artist.get_figure()
        while figure is not None and not isinstance(figure, Figure):
            figure = figure.figure if figure.figure is not figure else None
        if figure is not None:
            return figure
        raise HxpyError("55000", f'the value of type "{_name(artist)}" belongs to no figure')
    return None


def _current(pyplot: Any) -> Figure:
    """Return pyplot's figure, if there is one."""
    if pyplot is None or not pyplot.get_fignums():
        raise HxpyError("55000", "there is no figure", "",
                        "Draw one first, for example by plt.plot(…) with py_exec. Once py_plot has "
                        "returned it, the next plt.plot(…) begins a new one.")
    figure: Figure = pyplot.gcf()
    return figure


def _artists(value: Any, kind: type, depth: int) -> Iterator[Any]:
    """Yield what is drawn among a value and its members, as what plt.hist() and subplots return."""
    if isinstance(value, kind):
        yield value
        return
    # of seaborn's grids and scikit-learn's displays
    for name in ("figure_", "figure"):
        inner = getattr(value, name, None)
        if isinstance(inner, kind):
            yield inner
            return
    if depth == 0 or isinstance(value, (str, bytes)):
        return
    if isinstance(value, Mapping):
        members: Any = value.values()
    elif isinstance(value, (list, tuple)) or getattr(getattr(value, "dtype", None), "kind", "") == "O":
        members = value.ravel() if hasattr(value, "ravel") else value
    else:
        return
    for _, member in zip(range(_SEARCHED), members):
        yield from _artists(member, kind, depth - 1)


def _draw(figure: Figure, form: str, width: float | None, height: float | None,
          dpi: float | None) -> bytes:
    """Return a figure's picture.  It stays as it is, but pyplot is done with it."""
    import matplotlib
    from matplotlib.figure import SubplotParams

    own = figure.get_size_inches()
    size = (own[0] if width is None else width, own[1] if height is None else height)
    resolution = figure.dpi if dpi is None else dpi
    _check_size(size[0] * resolution, size[1] * resolution)
    before = figure.subplotpars
    places = {name: getattr(before, name) for name in
              ("left", "bottom", "right", "top", "wspace", "hspace")}
    default = SubplotParams()
    fits = figure.get_layout_engine() is None and \
        all(place == getattr(default, name) for name, place in places.items())
    data = io.BytesIO()
    try:
        figure.set_size_inches(*size)
        if fits:        # labels would be cut off else
            figure.set_layout_engine("tight")
        # The same figure gives the same bytes.
        with matplotlib.rc_context({"svg.hashsalt": "hxpy"}):
            figure.savefig(data, format=form, dpi=resolution,
                           metadata={"Date": None} if form == "svg" else None)
    finally:
        if fits:
            figure.set_layout_engine(None)      # as it was
            figure.subplots_adjust(**places)
        figure.set_size_inches(*own)
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close(figure)
    return data.getvalue()


def _check_size(width: float, height: float) -> None:
    """Raise an error (22023) for a picture that is too large, or nothing."""
    if not (1 <= width <= _SIDE and 1 <= height <= _SIDE and width * height <= _PIXELS):
        raise HxpyError("22023", f"a picture cannot have {width:.0f} × {height:.0f} pixels",
                        f"A side has at most {_SIDE}, a picture at most {_PIXELS // 1_000_000} million.",
                        "width and height are inches, and dpi pixels in an inch.")


# Others -------------------------------------------------------------------------------


def _own_picture(value: Any, form: str) -> bytes | None:
    """Return the picture that a value makes of itself, as Jupyter asks for it; None for none."""
    method = None if isinstance(value, type) else getattr(value, f"_repr_{form}_", None)
    data = method() if callable(method) else None
    if isinstance(data, tuple):     # and metadata
        data = data[0]
    if isinstance(data, str):
        data = data.encode() if form == "svg" else base64.b64decode(data)
    return None if data is None else bytes(data)


def _no_picture(value: Any, form: str) -> HxpyError:
    """Return the error for a value that is no picture."""
    other = "svg" if form == "png" else "png"
    if value is None:
        hint = "Its value is None: say plt, when that has drawn, or keep the figure in a variable."
    elif callable(getattr(value, f"_repr_{other}_", None)) and not isinstance(value, type):
        hint = f"It makes pictures of another format: format => '{other}'."
    elif type(value).__name__ in ("DataFrame", "Series"):
        hint = "Say how: by its method plot(), or by py_plot_text."
    elif type(value).__name__ == "Grid":
        hint = "Say how: by its to_dataframe().plot(), or by py_plot_text."
    elif isinstance(value, (bytes, bytearray)):
        hint = "py_eval(session, expr, NULL::bytea) returns bytes as they are."
    else:
        hint = "Give a figure or axes of matplotlib, what plot() of pandas returns, or what has a " \
               "method _repr_png_ or _repr_svg_."
    if importlib.util.find_spec("matplotlib") is None:
        hint += " This image has no matplotlib; Debian's package is python3-matplotlib."
    return HxpyError("42846", f'cannot make a picture of Python type "{_name(value)}"', "", hint)
