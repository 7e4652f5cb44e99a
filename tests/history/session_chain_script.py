"""A Streamlit script that calls chains of LangChain: whole, streamed, and in an event loop."""

import asyncio

import streamlit as st
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.history import RunnableWithMessageHistory

from streamlit_assistant.history import StreamlitHistory

model = GenericFakeChatModel(messages=iter(map(AIMessage, ("one", "two", "three"))))
prompt = ChatPromptTemplate.from_messages([MessagesPlaceholder("history"), ("human", "{question}")])
chain = RunnableWithMessageHistory(
    prompt | model,
    StreamlitHistory,
    input_messages_key="question",
    history_messages_key="history",
)
config: RunnableConfig = {"configurable": {"session_id": "chat"}}
chain.invoke({"question": "first"}, config)
for _piece in chain.stream({"question": "second"}, config):
    st.empty()
asyncio.run(chain.ainvoke({"question": "third"}, config))
st.json([message.text for message in StreamlitHistory("chat").messages])
