"""The HTTP front: REST, server-sent events, web pages. Never parses a document."""
