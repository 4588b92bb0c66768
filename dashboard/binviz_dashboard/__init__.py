"""The dashboard: a Streamlit app over binviz, on this machine only. `binviz app` starts it."""
