"""Where a result can go: one module per target; `registry.PUBLISH` lists them."""
