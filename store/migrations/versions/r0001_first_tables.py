"""The first tables."""

import sqlalchemy as sa
from alembic import op

from store.dialects import dialect_of

revision = "0001"
down_revision = None

KEY = sa.String(26)
SHA256 = sa.String(64)
NAME = sa.String(64)


def upgrade() -> None:
    """Make everything."""
    op.create_table(
        "documents",
        sa.Column("id", SHA256, primary_key=True),
        sa.Column("media_type", sa.Text, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("pages", sa.Integer),
        sa.Column("touched", sa.Double, nullable=False),
    )
    _create_jobs()
    _create_pages()
    _create_results()
    _create_blob_names()
    for statement in dialect_of(op.get_bind().engine.url).create_search():
        op.execute(statement)


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("document", SHA256, sa.ForeignKey("documents.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("name_folded", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("engine", sa.Text, nullable=False),
        sa.Column("options", sa.Text, nullable=False),
        sa.Column("pages", sa.Text, nullable=False),
        sa.Column("lane", sa.String(16), nullable=False),
        sa.Column("origin", sa.String(16), nullable=False),
        sa.Column("parent", KEY),
        sa.Column("reuse", sa.Boolean, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("cancelled", sa.Integer, nullable=False),
        sa.Column("failure_type", sa.Text),
        sa.Column("failure_message", sa.Text),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("started", sa.Double),
        sa.Column("finished", sa.Double),
        sa.Column("deleted", sa.Double),
    )
    for column in ("document", "state", "parent", "deleted"):
        op.create_index(f"jobs_by_{column}", "jobs", [column])


def _create_pages() -> None:
    op.create_table(
        "pages",
        sa.Column("job", KEY, sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("page", sa.Integer, primary_key=True),
        sa.Column("engine", NAME, primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("crashes", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("reason_type", sa.Text, nullable=False),
        sa.Column("quarantined", sa.Boolean, nullable=False),
        sa.Column("milliseconds", sa.Double),
        sa.Column("reused_from", KEY),
        sa.Column("worker", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("finished", sa.Double),
        sqlite_with_rowid=False,
    )


def _create_results() -> None:
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "results",
        sa.Column("id", number, primary_key=True, autoincrement=False),
        sa.Column("job", KEY, sa.ForeignKey("jobs.id"), nullable=False),
        sa.Column("page", sa.Integer, nullable=False),
        sa.Column("engine", NAME, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("markdown", sa.LargeBinary, nullable=False),
        sa.Column("blocks", sa.LargeBinary, nullable=False),
        sa.Column("raw", sa.LargeBinary, nullable=False),
        sa.Column("raw_media_type", sa.Text, nullable=False),
        sa.Column("width", sa.Double, nullable=False),
        sa.Column("height", sa.Double, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("turned_degrees", sa.Integer, nullable=False),
        sa.Column("skew_degrees", sa.Double, nullable=False),
        sa.Column("images", sa.Text, nullable=False),
        sa.Column("timings", sa.Text, nullable=False),
        sa.Column("warnings", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("options", sa.Text, nullable=False),
        sa.Column("reused_from", KEY),
        sa.UniqueConstraint("job", "page", "engine", name="results_by_page"),
    )
    op.create_table(
        "result_images",
        sa.Column("result", number, sa.ForeignKey("results.id"), primary_key=True),
        sa.Column("sha256", SHA256, primary_key=True),
        sqlite_with_rowid=False,
    )


def _create_blob_names() -> None:
    op.create_table(
        "page_images",
        sa.Column("document", SHA256, sa.ForeignKey("documents.id"), primary_key=True),
        sa.Column("page", sa.Integer, primary_key=True),
        sa.Column("sha256", SHA256, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "artifacts",
        sa.Column("job", KEY, sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("format", sa.String(16), primary_key=True),
        sa.Column("sha256", SHA256, nullable=False),
        sqlite_with_rowid=False,
    )
    for table in ("result_images", "page_images", "artifacts"):
        op.create_index(f"{table}_by_blob", table, ["sha256"])
