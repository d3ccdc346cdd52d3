"""One module per subcommand: plain arguments in, an exit code out. Only here are files read and written."""
