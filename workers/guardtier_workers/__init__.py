"""The daemons of the tier, and the command line.

``consumer.py`` is the consumer-group loop (one ``lane.py`` a partition), ``analyzer.py`` and
``policy.py`` say what is done per message, ``steward.py`` (arq) does what is slow or deferred.
``embedded.py`` and ``supervisor.py`` make ``guardtier up``; ``cli/`` is the command line.
"""

from guardtier_workers.lazily import put_off

# redis-py imports it for tokens that we don't use, and it cryptography: 70 of a worker's 430 ms of imports.
put_off("jwt")
