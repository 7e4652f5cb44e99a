"""Page layer: what only the browser can do. No text of others enters the script."""

import streamlit as st

from streamlit_assistant.ui.texts import Texts

# Streamlit closes the drawer of a phone only where one touches beside it, so choosing a chat would
# leave it covered. The words of the page are in a language that the document should name as well.
SCRIPT = """
<script>
document.documentElement.lang = "%s";
if (!window.drawerClosesItself) {
  window.drawerClosesItself = true;
  const chat = ["new-chat", "chat-", "open-chat-"]
    .map((key) => `[data-testid="stSidebar"] [class*="st-key-${key}"]`)
    .join();
  document.addEventListener("click", (event) => {
    if (window.matchMedia("(max-width: 768px)").matches && event.target.closest(chat)) {
      const beside = document.querySelector(".stMain");
      beside?.dispatchEvent(new MouseEvent("mousedown", { bubbles: true }));
    }
  });
}
</script>
"""


def prepare_browser(texts: Texts) -> None:
    """Draw what is never seen: the script, and samples of what Streamlit loads on first sight."""
    with st.container(key="unseen"):
        st.html(SCRIPT % texts.language, unsafe_allow_javascript=True)
        # Else an answer would stand still while the first code or formula in it fetches its parts.
        st.code("0", language="python")
        st.markdown("$0$")
