"""The demo: a chat, a scorer and the reports of runs, in a browser."""
