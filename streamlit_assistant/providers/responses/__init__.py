"""The Responses API adapter: OpenAI, Azure, and every server that answers `/responses`."""
