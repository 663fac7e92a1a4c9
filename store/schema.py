"""The tables. Migrations make them; this file is what queries are built from.

Blobs have no table: a blob is used when `documents.id`, `page_images.sha256`,
`result_images.sha256` or `artifacts.sha256` names it, and each of those is indexed.
"""

import sqlalchemy as sa

REVISION = "0005"  # head of store/migrations; a test compares the two

metadata = sa.MetaData()

documents = sa.Table(
    "documents",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("media_type", sa.Text, nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("pages", sa.Integer),
    sa.Column("touched", sa.Double, nullable=False),  # last upload: the janitor spares the young
)

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.String(26), primary_key=True),
    sa.Column("document", sa.String(64), sa.ForeignKey("documents.id"), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("name_folded", sa.Text, nullable=False),  # SQLite's lower() knows ASCII only
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("engine", sa.Text, nullable=False),
    sa.Column("options", sa.Text, nullable=False),
    sa.Column("pages", sa.Text, nullable=False),
    sa.Column("lane", sa.String(16), nullable=False),
    sa.Column("origin", sa.String(16), nullable=False),
    sa.Column("parent", sa.String(26)),  # no foreign key: a replay outlives its parent
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
    sa.Column("deleted", sa.Double),  # set first by a delete: from then on the job is invisible
    sa.Index("jobs_by_document", "document"),
    sa.Index("jobs_by_state", "state"),
    sa.Index("jobs_by_parent", "parent"),
    # Hidden jobs only. With all jobs in it, SQLite looks up those that are not hidden: nearly all.
    sa.Index(
        "jobs_by_deleted",
        "deleted",
        sqlite_where=sa.text("deleted IS NOT NULL"),
        postgresql_where=sa.text("deleted IS NOT NULL"),
    ),
)

job_engines = sa.Table(
    "job_engines",
    metadata,
    sa.Column("engine", sa.Text, primary_key=True),  # asked for, or used in its place
    sa.Column("job", sa.String(26), sa.ForeignKey("jobs.id"), primary_key=True),
    sa.Index("job_engines_by_job", "job"),
    sqlite_with_rowid=False,
)

pages = sa.Table(
    "pages",
    metadata,
    sa.Column("job", sa.String(26), sa.ForeignKey("jobs.id"), primary_key=True),
    sa.Column("page", sa.Integer, primary_key=True),
    sa.Column("engine", sa.String(64), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("crashes", sa.Integer, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("reason_type", sa.Text, nullable=False),
    sa.Column("quarantined", sa.Boolean, nullable=False),
    sa.Column("milliseconds", sa.Double),
    sa.Column("reused_from", sa.String(26)),
    sa.Column("worker", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("finished", sa.Double),
    sa.Column("used", sa.String(64)),  # the engine that reads the page; null: `engine`
    sa.Column("choice", sa.Text, nullable=False, default="", server_default=""),
    sa.Column("rung", sa.String(16), nullable=False, default="", server_default=""),
    sa.Column("turn", sa.Integer, nullable=False, default=0, server_default="0"),
    sa.Column("kept", sa.Integer, nullable=False, default=0, server_default="0"),  # attempts
    sa.Column("route", sa.Text, nullable=False, default="", server_default=""),  # next, as JSON
    sqlite_with_rowid=False,
)

# Attempts at a page that gave no accepted answer, in order. `engine` is the one asked for.
attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("job", sa.String(26), sa.ForeignKey("jobs.id"), primary_key=True),
    sa.Column("page", sa.Integer, primary_key=True),
    sa.Column("engine", sa.String(64), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("used", sa.String(64), nullable=False),
    sa.Column("rung", sa.String(16), nullable=False),
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("finding", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("reason_type", sa.Text, nullable=False),
    sa.Column("options", sa.Text, nullable=False),
    sa.Column("milliseconds", sa.Double),
    sa.Column("worker", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("text", sa.LargeBinary),  # zlib of UTF-8: what the engine said
    sa.Column("answer", sa.LargeBinary),  # zlib of a whole answer that may still be taken
)

results = sa.Table(
    "results",
    metadata,
    # Given by `settle`, not by the database: the search index needs it in the same batch.
    sa.Column(
        "id",
        sa.BigInteger().with_variant(sa.Integer, "sqlite"),
        primary_key=True,
        autoincrement=False,
    ),
    sa.Column("job", sa.String(26), sa.ForeignKey("jobs.id"), nullable=False),
    sa.Column("page", sa.Integer, nullable=False),
    sa.Column("engine", sa.String(64), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("markdown", sa.LargeBinary, nullable=False),  # zlib of UTF-8
    sa.Column("blocks", sa.LargeBinary, nullable=False),  # zlib of compact JSON
    sa.Column("raw", sa.LargeBinary, nullable=False),  # zlib of the engine's bytes
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
    sa.Column("reused_from", sa.String(26)),
    sa.Column("used", sa.String(64)),  # the engine that read the page; null: `engine`
    sa.UniqueConstraint("job", "page", "engine", name="results_by_page"),
)

result_images = sa.Table(
    "result_images",
    metadata,
    sa.Column("result", sa.ForeignKey("results.id"), primary_key=True),
    sa.Column("sha256", sa.String(64), primary_key=True),
    sa.Index("result_images_by_blob", "sha256"),
    sqlite_with_rowid=False,
)

page_images = sa.Table(
    "page_images",
    metadata,
    sa.Column("document", sa.String(64), sa.ForeignKey("documents.id"), primary_key=True),
    sa.Column("page", sa.Integer, primary_key=True),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("ink", sa.Double),  # how much is on the page; null: nobody looked
    sa.Index("page_images_by_blob", "sha256"),
    sqlite_with_rowid=False,
)

artifacts = sa.Table(
    "artifacts",
    metadata,
    sa.Column("job", sa.String(26), sa.ForeignKey("jobs.id"), primary_key=True),
    sa.Column("format", sa.String(16), primary_key=True),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Index("artifacts_by_blob", "sha256"),
    sqlite_with_rowid=False,
)

# What the collect stage is asked to make of a job that has ended; a row goes when it is made.
wanted = sa.Table(
    "wanted",
    metadata,
    sa.Column("job", sa.String(26), sa.ForeignKey("jobs.id"), primary_key=True),
    sa.Column("kind", sa.String(64), primary_key=True),  # a format, "merge", or "compare:<job>"
    sa.Column("asked", sa.Double, nullable=False),
    sa.Column("failure_type", sa.Text),
    sa.Column("failure_message", sa.Text),
    sqlite_with_rowid=False,
)

choices = sa.Table(
    "choices",
    metadata,
    sa.Column("job", sa.String(26), sa.ForeignKey("jobs.id"), primary_key=True),
    sa.Column("page", sa.Integer, primary_key=True),
    sa.Column("from_job", sa.String(26), nullable=False),
    sa.Column("engine", sa.String(64), nullable=False),
    sa.Index("choices_by_source", "from_job"),
    sqlite_with_rowid=False,
)

agreements = sa.Table(
    "agreements",
    metadata,
    sa.Column("job", sa.String(26), sa.ForeignKey("jobs.id"), primary_key=True),
    sa.Column("other_job", sa.String(26), primary_key=True),  # the same job: two of its engines
    sa.Column("page", sa.Integer, primary_key=True),
    sa.Column("engine", sa.String(64), primary_key=True),
    sa.Column("other_engine", sa.String(64), primary_key=True),
    sa.Column("agreement", sa.Double, nullable=False),
    sa.Column("words_in_common", sa.Double, nullable=False),
    sa.Column("order_difference", sa.Double),
    sa.Index("agreements_by_other", "other_job"),
    sqlite_with_rowid=False,
)

# Which jobs were compared when no page of either was open: they may have no page in common.
comparisons = sa.Table(
    "comparisons",
    metadata,
    sa.Column("job", sa.String(26), sa.ForeignKey("jobs.id"), primary_key=True),
    sa.Column("other_job", sa.String(26), primary_key=True),
    sa.Index("comparisons_by_other", "other_job"),
    sqlite_with_rowid=False,
)
