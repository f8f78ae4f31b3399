"""What the tests of all examples share."""

import signal

# A shell without job control starts background commands with SIGINT ignored, which programs started here would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)
