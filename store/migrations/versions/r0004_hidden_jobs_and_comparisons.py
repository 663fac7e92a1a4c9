"""An index of hidden jobs only; which jobs have been compared."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

KEY = sa.String(26)


def upgrade() -> None:
    """Nearly no job is hidden; what was compared before gave agreements."""
    op.drop_index("jobs_by_deleted", table_name="jobs")
    hidden = sa.text("deleted IS NOT NULL")
    op.create_index(
        "jobs_by_deleted", "jobs", ["deleted"], sqlite_where=hidden, postgresql_where=hidden
    )
    op.create_table(
        "comparisons",
        sa.Column("job", KEY, sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("other_job", KEY, primary_key=True),
        sa.Index("comparisons_by_other", "other_job"),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO comparisons (job, other_job) SELECT DISTINCT job, other_job FROM agreements"
    )
