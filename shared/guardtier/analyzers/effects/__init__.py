"""What programs do, as data: ``data/*.toml`` say it, this package rates commands by it.

One file a family, one ``[[program]]`` a program (``schema.py`` has every field). First worked example,
effects on operands; the risk follows from ``data/matrix.toml`` (effect × sensitivity of the target,
``data/places.toml``)::

    [[program]]
    names = ["cp", "gcp"]
    takes = ["-t", "--target-directory", "-S", "--suffix"]   # their value is no operand
    recursive = ["-r", "-R", "-a", "--recursive", "--archive"]
    effects = { read = "init", write = ["last", "-t", "--target-directory"] }

``cp a /etc/cron.d/`` then reads ``a`` (workspace: LOW) and writes ``/etc/cron.d/`` (runs code: HIGH,
finding ``shell.write.autorun``). Selectors: ``all first second last rest init``, ``-o`` (value of that
option, also ``-oVALUE`` and ``--out=VALUE``), ``of=`` (rest of the operands that begin so), ``cwd``
(the directory it runs in), ``stdin``. Effects on hosts and URLs (``send``, ``receive``) take the same
selectors and rate the address. ``found`` are the files that find looks for, ``collect`` is a read of all
that is below a directory, ``decode`` turns hidden text into plain. What is received and piped to, or
later run by, something with the effect ``execute`` is HIGH without a rule; so is what reads credentials
before a ``send``.

Second, subcommands and rules of their own::

    [[program]]
    names = ["git"]
    takes = ["-C", "-c", "--git-dir", "--work-tree"]
    risk = "LOW"                                  # where nothing below says more

    [[program.sub]]
    names = ["push"]                              # also "remote add", "* delete" (any one word)
    risk = "MEDIUM"
    privileged = "MEDIUM"                         # under sudo; HIGH where it is left out

    [[program.sub.rule]]
    when = ["-f", "--force", "+*"]                # any of: options (also in -xf), or an operand glob
    unless = ["-n", "--dry-run"]
    risk = "HIGH"
    id = "shell.git.force_push"
    message = "Overwrites history that others have fetched."     # one sentence
    attack = "T1485"
    fix = "Push to a branch of your own, without --force."

All rules that match count, the highest risk wins; ``risk`` of the program or subcommand counts only
where none said what it changes. ``only = true`` makes a rule the last word (``--dry-run`` → LOW).
``--help`` and ``--version`` alone are LOW for every program of the table. A rule with ``does`` and
``risk`` has a fixed risk and still takes part in the data flow. An option that only some versions of a
program give a value to is left out of ``takes``: a number taken for a file leads nowhere, but a file
taken for an option's value is not looked at. A name that stands in two files fails the tests.

``parse.py`` takes a command line apart by its entry, ``select.py`` asks a rule's conditions,
``engine.py`` rates one command, ``flow.py`` follows data through a script, ``targets.py`` and
``hosts.py`` say where words lead, ``rate.py`` what an effect there comes to, ``variables.py`` and
``calls.py`` what variables and other languages do.
"""
