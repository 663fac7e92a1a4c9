"""Which engine read a page and why, and the attempts that gave no accepted answer."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

KEY = sa.String(26)
NAME = sa.String(64)


def upgrade() -> None:
    """Add columns, none of which needs old rows to be written again, and a table."""
    op.add_column("pages", sa.Column("used", NAME))
    op.add_column("pages", sa.Column("choice", sa.Text, nullable=False, server_default=""))
    op.add_column("pages", sa.Column("rung", sa.String(16), nullable=False, server_default=""))
    op.add_column("pages", sa.Column("turn", sa.Integer, nullable=False, server_default="0"))
    op.add_column("pages", sa.Column("kept", sa.Integer, nullable=False, server_default="0"))
    op.add_column("pages", sa.Column("route", sa.Text, nullable=False, server_default=""))
    op.add_column("results", sa.Column("used", NAME))
    op.add_column("page_images", sa.Column("ink", sa.Double))
    op.create_table(
        "attempts",
        sa.Column("job", KEY, sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("page", sa.Integer, primary_key=True),
        sa.Column("engine", NAME, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("used", NAME, nullable=False),
        sa.Column("rung", sa.String(16), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("finding", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("reason_type", sa.Text, nullable=False),
        sa.Column("options", sa.Text, nullable=False),
        sa.Column("milliseconds", sa.Double),
        sa.Column("worker", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("text", sa.LargeBinary),
        sa.Column("answer", sa.LargeBinary),
    )
