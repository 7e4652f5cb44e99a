"""What the offline assistant can say: how this site works, in both languages."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Topic:
    """Something a person may ask about the site, and the answer in each language."""

    keywords: Sequence[str]
    english: str
    chinese: str


NO_MODEL = Topic(
    (),
    "**No language model is connected to this site yet**, so I cannot answer that. I am a small "
    "offline helper and only know how the site itself works.\n\nTo connect a model, do one of "
    "these and restart (or save it in `.streamlit/secrets.toml`, which needs no restart):\n\n"
    "- install [Ollama](https://ollama.com) on this machine and run `ollama pull` with a model "
    "of your choice; it is found by itself,\n"
    "- set `OPENAI_API_KEY` to use OpenAI,\n"
    "- set `OPENAI_BASE_URL` (and a key, if it wants one) to any OpenAI-compatible model server."
    "\n\nYour message is saved in this chat; once a model is connected, ask again here.",
    "**这个站点还没有连接语言模型**，所以我无法回答这个问题。"
    "我只是一个离线小助手，只了解站点本身的用法。"
    "\n\n要连接模型，任选一种方式，然后重新启动（写进 `.streamlit/secrets.toml` 则无需重启）：\n\n"
    "- 在这台机器上安装 [Ollama](https://ollama.com)，用 `ollama pull` 下载一个模型，"
    "站点会自动找到它；\n"
    "- 设置 `OPENAI_API_KEY`，使用 OpenAI；\n"
    "- 设置 `OPENAI_BASE_URL`（需要时再加密钥），连接任何兼容 OpenAI 的模型服务器。"
    "\n\n你的消息已保存在本对话中；连接模型后，在这里再问一次即可。",
)

TOPICS = (
    Topic(
        (
            "/v1",
            "base_url",
            "api key",
            "assistants api",
            "api 密钥",
            "api密钥",
            "api 接口",
            "api接口",
        ),
        "Programs use this site through the OpenAI Assistants API under `/v1` of the same "
        "address. Give the official `openai` client this `base_url` and the key that was printed "
        "on the first start, or the one you set in `ASSISTANT_API_KEY`.",
        "程序可以通过同一地址下的 `/v1` 使用 OpenAI Assistants API。"
        "把官方 `openai` 客户端的 `base_url` "
        "指向这里，并使用首次启动时打印的密钥，或你在 `ASSISTANT_API_KEY` 中设置的密钥。",
    ),
    Topic(
        ("my data", "my chats stored", "chats saved", "我的数据", "保存在哪", "数据保存", "数据存"),
        "Everything is kept in one SQLite database in the data directory of this server "
        "(`DATA_DIR`). Nothing leaves the machine unless you connect a hosted model.",
        "所有内容都保存在本服务器数据目录（`DATA_DIR`）中的一个 SQLite 数据库里。"
        "除非你连接了云端模型，"
        "否则任何内容都不会离开这台机器。",
    ),
    Topic(
        (
            "new chat",
            "old chat",
            "chat history",
            "sidebar",
            "新对话",
            "历史记录",
            "聊天记录",
            "侧边栏",
        ),
        "Your chats are in the sidebar, newest first; New chat starts another. Each chat has its "
        "own address, so reloading, the back button and a second tab all work, and an answer goes "
        "on even when you close the page. Stop ends an answer and keeps what is there.",
        "你的对话都在侧边栏里，最新的在最上面；点「新对话」可以另起一个。每个对话都有自己的网址，"
        "所以刷新、后退和第二个标签页都能正常使用；即使关闭页面，回答也会继续。点「停止」会结束回答，"
        "并保留已有的内容。",
    ),
)
