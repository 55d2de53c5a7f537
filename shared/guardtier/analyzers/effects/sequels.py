"""Sequels: what there is to say of a command for what came down to it (``flow.py``)."""

from __future__ import annotations

from guardtier.analyzers.effects.rate import Rated, sentence
from guardtier.analyzers.shell.model import Command
from guardtier.risk import SecurityRisk


def runs_fetched(command: Command) -> Rated:
    message = sentence(
        "Runs code that was just fetched from the network", "T1059", "Save it, read it, then run it."
    )
    return Rated("shell.execute.fetched", SecurityRisk.HIGH, message, command.span)


def runs_decoded(command: Command) -> Rated:
    message = sentence("Runs code that was hidden in an encoding", "T1027", "Run the plain text of it.")
    return Rated("shell.execute.decoded", SecurityRisk.HIGH, message, command.span)


def stops_control(command: Command) -> Rated:
    message = sentence("Stops a security tool, or the system's log", "T1562.001", "Leave it running.")
    return Rated("shell.disable.daemon", SecurityRisk.HIGH, message, command.span)


def stops_every(command: Command) -> Rated:
    message = sentence(
        "Stops all processes that ps lists", "T1489", "Name the process that the task started."
    )
    return Rated("shell.stop.everything", SecurityRisk.HIGH, message, command.span)


def leaves(command: Command) -> Rated:
    message = sentence("Sends secrets or personal files to another machine", "T1041")
    return Rated("shell.send.secrets", SecurityRisk.HIGH, message, command.span)
