"""The engines of each job, to list jobs by engine without a look at their pages."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_JOBS_PER_WRITE = 5000


def upgrade() -> None:
    """Names are split here, not by the database: neither dialect does it as the other."""
    table = op.create_table(
        "job_engines",
        sa.Column("engine", sa.Text, primary_key=True),
        sa.Column("job", sa.String(26), sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Index("job_engines_by_job", "job"),
        sqlite_with_rowid=False,
    )
    connection = op.get_bind()
    asked = connection.execute(sa.text("SELECT id, engine FROM jobs")).all()
    used = connection.execute(
        sa.text("SELECT DISTINCT job, used FROM pages WHERE used IS NOT NULL")
    ).all()
    pairs = {(name, job) for job, names in (*asked, *used) for name in names.split(",") if name}
    rows = [{"engine": name, "job": job} for name, job in sorted(pairs)]
    for start in range(0, len(rows), _JOBS_PER_WRITE):
        op.bulk_insert(table, rows[start : start + _JOBS_PER_WRITE])
