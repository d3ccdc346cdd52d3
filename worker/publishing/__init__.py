"""Publishing a trained model: what leaves the machine, in which form, to which target."""
