"""`python -m binviz_dashboard` starts the dashboard; with a port behind it, there and without opening a window."""

import sys

from binviz_dashboard.launch import run

if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else None
    run(port, browser=port is None)
