"""How texts and Python values become trees of plain JSON values, and what is said when they cannot.

`dpcompile.documents` is the way in; nothing else imports these modules.
"""
