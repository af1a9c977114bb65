"""The edge: REST, live events, webhooks, archive, page."""
