"""Blueprints of the web pages, rendered on the server."""
