"""Running the trainer: how it is started, what it says, when it hangs, how it ends, what it leaves behind."""
