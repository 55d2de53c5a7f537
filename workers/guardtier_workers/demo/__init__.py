"""What the demo publishes: ``actions.jsonl``, 50 tool calls of two fleets, one a line.

A line holds the fields of an ActionEvent without its id. Those that wait for a person have an
``answer`` besides: what the demo's approvers do, ``approve`` (by two ``people`` where ``policy.toml``
wants that; with ``remember`` it leaves a grant), ``reject`` (with the ``reason`` that the model reads),
``edit`` (with other ``arguments``) or ``leave``, until the deadline passes. What is decided by what they
said before has ``by``: ``grant`` or ``block``.
"""
