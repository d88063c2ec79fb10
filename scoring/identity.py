"""What a score depends on, by content: two scores are one only where all of it is the same."""

from dataclasses import asdict, dataclass

from agents.checkpoint import Agent, fingerprint
from rollouts.bank import FrameBank, content_sha256
from scoring.evidence import EVIDENCE

CODE = 1
"""The version of the score's code: raised with any change by which the same agent and bank get other numbers."""


@dataclass(frozen=True)
class Identity:
    """SHA-256 of the weights and of the bank's content, and the versions of the evidence and of the score's code."""

    weights_sha256: str
    bank_sha256: str
    evidence: int
    code: int

    def difference(self, other: "Identity") -> str | None:
        """The words for the first thing in which the two differ; None where they are the same."""
        own, others = asdict(self), asdict(other)
        return next((words for name, words in WORDS.items() if own[name] != others[name]), None)


WORDS = {
    "weights_sha256": "other weights",
    "bank_sha256": "another bank",
    "evidence": "another version of the evidence",
    "code": "another version of the score's code",
}


def identity(agent: Agent, bank: FrameBank) -> Identity:
    """Of a score of the agent on the bank, whatever its settings."""
    return Identity(fingerprint(agent), content_sha256(bank), EVIDENCE, CODE)
