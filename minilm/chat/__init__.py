"""Talking with a language model: how a conversation becomes ids, what is kept of it, and the terminal around it.

From the bottom up: `template` (the marks around each turn), `reading` (what the model has read, and need not read again),
`conversation` (turns, and which of them the context holds), `session` (lines that are typed, text that is shown).
"""

from minilm.chat.conversation import Answer, Conversation, ConversationError
from minilm.chat.reading import Reading
from minilm.chat.template import ChatML, Plain, Template, TemplateError, template_for

__all__ = [
    "Answer",
    "ChatML",
    "Conversation",
    "ConversationError",
    "Plain",
    "Reading",
    "Template",
    "TemplateError",
    "template_for",
]
