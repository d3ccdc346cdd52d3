"""What a checkout of the trainer reads, found in its syntax trees, against what dpcompile knows.

Nothing of the trainer is imported or run. `checkout` reads its files, `reads` finds what they read, `known` says what
dpcompile expects, and `compare` tells the difference.
"""
