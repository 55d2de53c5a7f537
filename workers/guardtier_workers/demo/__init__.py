"""What the demo publishes: ``actions.jsonl``, 48 tool calls of two fleets, one a line.

A line holds the fields of an ActionEvent without its id. Those that the default settings park have
an ``answer`` besides: what the demo's approver does, ``approve``, ``reject`` (with the ``reason``
that the model reads), ``edit`` (with the ``arguments`` that run instead) or ``leave``, until the deadline
passes.
"""
