"""What pyproject.toml cannot say: the version, which stands in hxpy.control alone."""

import re
from pathlib import Path

from setuptools import setup

CONTROL = Path(__file__).with_name("hxpy.control").read_text()

setup(version=re.search(r"^default_version = '(.*)'", CONTROL, flags=re.M)[1])
