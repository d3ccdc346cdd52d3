"""How fast dpcompile is, as ratios measured side by side in one run."""
