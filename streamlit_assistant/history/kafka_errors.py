"""Kafka's errors as those of histories: the border at which they are translated."""

from typing import TYPE_CHECKING

from streamlit_assistant.history.history_errors import (
    HistoryError,
    HistoryUnavailable,
    MessageRefused,
)

if TYPE_CHECKING:
    from confluent_kafka import KafkaError


class AnswerPending(HistoryUnavailable):
    """Kafka has not answered yet; whoever has patience left asks again."""


class TopicMissing(AnswerPending):
    """There is no such topic, or not any longer."""


_MISSING = {"UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_TOPIC", "_UNKNOWN_PARTITION", "_NOENT"}
_REFUSED = {"MSG_SIZE_TOO_LARGE", "INVALID_MSG_SIZE", "RECORD_LIST_TOO_LARGE", "INVALID_RECORD"}
# What asking again at once does not change: somebody has to put it right, or the time is up.
_FINAL = {
    *("_AUTHENTICATION", "SASL_AUTHENTICATION_FAILED", "_SSL", "POLICY_VIOLATION"),
    *("TOPIC_AUTHORIZATION_FAILED", "GROUP_AUTHORIZATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED"),
    *("TOPIC_EXCEPTION", "INVALID_CONFIG", "INVALID_PARTITIONS", "INVALID_REQUEST"),
    *("_UNSUPPORTED_FEATURE", "UNSUPPORTED_VERSION", "_MSG_TIMED_OUT"),
}
# Errors that do not say themselves why.
_WAITED_IN_VAIN = {"_TIMED_OUT", "_MSG_TIMED_OUT", "_TIMED_OUT_QUEUE", "_TRANSPORT", "_STATE"}


def translated(error: "KafkaError", servers: str, known: str = "") -> HistoryError:
    """Return what an error of Kafka is to a history; `known` is what else is known of its cause."""
    name, text = error.name(), error.str()
    if name in _WAITED_IN_VAIN and known and known not in text:
        text = f"{text} ({known})"
    if name in _REFUSED:
        return MessageRefused(f"Kafka does not take the message: {text}")
    if name in _MISSING:
        return TopicMissing(f"Kafka at {servers}: {text}")
    if name in _FINAL:
        return HistoryUnavailable(f"Kafka at {servers} has not done what was asked: {text}")
    return AnswerPending(f"Kafka at {servers} does not answer: {text}")
