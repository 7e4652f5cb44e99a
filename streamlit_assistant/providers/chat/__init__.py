"""The Chat Completions adapter: any OpenAI-compatible model server, in its own dialect."""
