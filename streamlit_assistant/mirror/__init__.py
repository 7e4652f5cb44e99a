"""The mirror: copies of every finished message, delivered to the stores that `HISTORY_URLS` names.

It reads the outbox that the store fills and writes logs of `history`; of the runs it knows nothing.
"""

from streamlit_assistant.mirror.mirroring import Mirroring
from streamlit_assistant.mirror.targets import Target, mirror_targets

__all__ = ["Mirroring", "Target", "mirror_targets"]
