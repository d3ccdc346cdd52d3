"""The dataset as the trainer will see it: which bucket takes each file, and the steps that come of it.

Pure arithmetic on what `dpcompile.probing` read from the files. It goes by the trainer's code at the pinned
commit (utils/dataset.py, train.py, utils/saver.py, models/base.py), its defects included.
"""
