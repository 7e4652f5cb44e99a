"""What `ChatBot` is made of: one conversation followed through the official client.

Sync column: it knows the `openai` client and nothing of the page above or the server below.
"""
