"""structlog without what it imports for colourful tracebacks, which no process of ours prints.

structlog takes rich where it is installed, and rich is 90 modules with Pygments and attrs: 3 to 4 MiB in each process,
and a tenth of what it takes to start. The command line draws its tables with rich, and imports it for that.
"""

from shared.imports import import_without

structlog = import_without("rich", "structlog")
