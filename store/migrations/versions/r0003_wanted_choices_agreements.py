"""What is asked for after a job has ended: exports, choices of pages, comparisons."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

KEY = sa.String(26)
NAME = sa.String(64)


def upgrade() -> None:
    """Make the three tables."""
    op.create_table(
        "wanted",
        sa.Column("job", KEY, sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("kind", sa.String(64), primary_key=True),
        sa.Column("asked", sa.Double, nullable=False),
        sa.Column("failure_type", sa.Text),
        sa.Column("failure_message", sa.Text),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "choices",
        sa.Column("job", KEY, sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("page", sa.Integer, primary_key=True),
        sa.Column("from_job", KEY, nullable=False),
        sa.Column("engine", NAME, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "agreements",
        sa.Column("job", KEY, sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("other_job", KEY, primary_key=True),
        sa.Column("page", sa.Integer, primary_key=True),
        sa.Column("engine", NAME, primary_key=True),
        sa.Column("other_engine", NAME, primary_key=True),
        sa.Column("agreement", sa.Double, nullable=False),
        sa.Column("words_in_common", sa.Double, nullable=False),
        sa.Column("order_difference", sa.Double),
        sqlite_with_rowid=False,
    )
    op.create_index("choices_by_source", "choices", ["from_job"])
    op.create_index("agreements_by_other", "agreements", ["other_job"])
