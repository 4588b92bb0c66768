"""`python -m binviz_dashboard` starts the dashboard."""

from binviz_dashboard.launch import run

if __name__ == "__main__":
    run()
