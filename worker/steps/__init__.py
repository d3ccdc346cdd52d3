"""One module per kind of step; `registry.RUN_STEP` lists them."""
