"""The console: the only place that knows Flask, Jinja and the web server.

`create_app` makes the pages and the API, `serve` runs them beside the engine. Views
read memory and the database; whatever reaches a host is handed to the engine.
"""
