"""How many answers wait for their commit: kept by workers, and heeded by who gives them work."""

from shared.settings import MIB

# Answers kept before the working thread has to wait: so many, or more while they are small, since
# collect commits hundreds of small ones at once and engines should have work meanwhile.
MAX_LARGE = 128
MAX_SMALL = 512
SMALL_BYTES = 8 * MIB  # of all that are kept
