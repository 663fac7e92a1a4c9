"""`python -m deploy ROLE`: how the supervisor starts its children."""

import sys

from deploy.lifeline import die_with_supervisor

die_with_supervisor()  # before the imports below: they take longer than a supervisor may live

from deploy.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
