"""Import all that the image has for its users: the libraries that README.md names and what
they take along, and each public module of the large ones.

docker/Dockerfile runs it when the image is built; exit status 1 says what is broken.
"""

import importlib
import pkgutil
import sys
import traceback
import warnings
import zoneinfo

LIBRARIES = ("bottleneck", "cloudpickle", "dateutil.parser", "dateutil.rrule", "fontTools.ttLib", "numexpr",
             "pytz", "sympy")
WALKED = ("numpy", "pandas", "scipy", "sklearn", "matplotlib")
TIME_ZONES = ("Europe/Berlin", "US/Eastern")    # of tzdata, of tzdata-legacy

NOT_FOR_USERS = ("conftest", "setup", "tests")
# What begins so wants a library that is not in the image on purpose, or is no module at all.
WITHOUT = (
    "matplotlib.backends.backend_cairo", "matplotlib.backends.backend_gtk",
    "matplotlib.backends.backend_macosx", "matplotlib.backends.backend_nbagg",
    "matplotlib.backends.backend_qt", "matplotlib.backends.backend_tkcairo",
    "matplotlib.backends.backend_webagg", "matplotlib.backends.backend_wx",
    "matplotlib.backends.qt_", "matplotlib.sphinxext",
    "pandas.core.arrays.arrow.extension_types", "pandas.io.formats.style",
    "scipy.special.libsf_error_state",
)

broken: list[str] = []
count = 0


def try_import(name):
    """Import a module; None, and a note of it, when that fails."""
    global count
    count += 1
    try:
        return importlib.import_module(name)
    except BaseException:
        broken.append(name)
        traceback.print_exc()
        return None


def walk(name):
    """Import a module and all public ones below it."""
    module = try_import(name)
    for entry in pkgutil.iter_modules(getattr(module, "__path__", [])):
        below = f"{name}.{entry.name}"
        if not entry.name.startswith("_") and entry.name not in NOT_FOR_USERS \
                and not below.startswith(WITHOUT):
            walk(below)


warnings.simplefilter("ignore")
for library in LIBRARIES:
    try_import(library)
for package in WALKED:
    walk(package)
for zone in TIME_ZONES:
    zoneinfo.ZoneInfo(zone)
if broken:
    sys.exit(f"cannot be imported: {' '.join(broken)}")
print(f"{count} modules can be imported")
