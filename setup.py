"""How geventcore is installed; tools are configured in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'^__version__ = "(.+)"$', (HERE / "geventcore" / "__init__.py").read_text(), re.MULTILINE)[1]

#: The storage layer; a driver for SQLite is part of Python.
DATABASE = ["alembic>=1.13", "SQLAlchemy>=2.0.30"]

#: What not every site needs. The server says which one is missing when it is asked for something that needs it.
RUNTIME_EXTRAS = {
    "aws": ["boto3>=1.34"],
    "bench": ["Jinja2>=3.1", "psutil>=5.9"],
    "cheetah": ["CT3>=3.4"],
    "cherrypy": ["cheroot>=10.0", "CherryPy>=18.9"],
    "database": DATABASE,
    "ldap": ["ldap3>=2.9"],
    "mysql": [*DATABASE, "PyMySQL>=1.1"],
    "otel": ["opentelemetry-exporter-otlp-proto-http>=1.27", "opentelemetry-sdk>=1.27"],
    "packages": ["lz4>=4.3", "PyYAML>=6.0", "urllib3>=2.0", "zstandard>=0.21"],
    "postgresql": [*DATABASE, "psycopg[binary]>=3.2"],
    "redis": ["redis>=5.0"],
    "ssh": ["bcrypt>=3.1.5"],
    "templates": ["Genshi>=0.7.7", "Jinja2>=3.1"],
    "tornado": ["tornado>=6.4"],
    "twisted": ["Twisted>=23.10"],
    "web": [*DATABASE, "argon2-cffi>=23.1", "Flask>=3.0", "Flask-WTF>=1.2"],
    "yaml": ["PyYAML>=6.0"],
}

#: Libraries that make the documentation. A whole run of the tests builds it, too.
DOCS = ["furo>=2024.8", "sphinx>=7.4", "sphinx-click>=6.0"]

#: What the types of libraries are checked with that ship none.
TYPES = ["types-gevent>=24.2", "types-psutil>=5.9", "types-PyYAML>=6.0"]

setup(
    name="geventcore",
    version=VERSION,
    description="A configuration-management server for Bcfg2 repositories and clients",
    long_description=(HERE / "README.md").read_text(),
    long_description_content_type="text/markdown",
    author="The geventcore authors",
    license="BSD-2-Clause",
    license_files=["LICENSE"],
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Environment :: Console",
        "Intended Audience :: System Administrators",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Topic :: System :: Installation/Setup",
        "Topic :: System :: Systems Administration",
        "Typing :: Typed",
    ],
    python_requires=">=3.10",
    packages=find_packages(include=["geventcore", "geventcore.*"]),
    package_data={
        "geventcore": ["py.typed"],
        "geventcore.simulation": ["page.css", "page.html.j2", "page.js"],
        "geventcore.tools.lint": ["schemas/*.xsd"],
        "geventcore.sample_site": ["*.template", "repository/**/*"],
        "geventcore.web": ["static/*", "templates/*"],
        "geventcore.tools.scaffold": ["*.template"],
    },
    entry_points={
        "console_scripts": ["geventcore = geventcore.cli.main:main"],
        "pytest11": ["geventcore = geventcore.testing.pytest_plugin"],
    },
    install_requires=[
        "click>=8.1",
        "cryptography>=42",
        "gevent>=24.2",
        "httptools>=0.6.4",
        "inotify_simple>=1.3",
        "lxml>=5.0",
        "prometheus_client>=0.20",
        "pyOpenSSL>=26.0",
    ],
    extras_require={
        **RUNTIME_EXTRAS,
        "all": [requirement for extra in RUNTIME_EXTRAS.values() for requirement in extra],
        "test": [
            *("createrepo_c>=1.1", "hypothesis>=6.100", "pyftpdlib>=2.0"),
            *("pytest>=8.0", "pytest-xdist>=3.6"),
            *("axe-core-python>=0.1", "schemathesis>=4.0", "selenium>=4.20"),
            # Wheels exist for these only; tests/fuzz says what is skipped without it.
            "atheris>=2.3; sys_platform == 'linux' and platform_machine == 'x86_64' and python_version >= '3.11'"
            " and python_version < '3.14'",
            "tomli>=2.0; python_version < '3.11'",
        ],
        "dev": [*DOCS, "lxml-stubs>=0.5", "mypy>=1.11", "ruff>=0.6", *TYPES],
    },
)
