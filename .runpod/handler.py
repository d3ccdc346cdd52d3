"""Where RunPod's Hub looks for the handler. The container starts worker/start.sh, which ends in the same place."""

from worker.serve import main

if __name__ == "__main__":
    main()
