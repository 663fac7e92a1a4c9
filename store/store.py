"""The store's face: every method is one short transaction, or a few, and is safe for threads."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

from shared.compare import PageAgreement
from shared.errors import Misconfigured
from shared.followups import Choice, Wanted
from shared.records import (
    Failure,
    Job,
    NewJob,
    PageResult,
    PageTask,
    Retry,
    SearchHit,
    Settled,
)
from shared.routing import Attempt, Route
from shared.settings import Settings
from shared.states import JobState, Lane
from store.agreements import Agreements
from store.attempts import Attempts
from store.blobs import BlobStore
from store.changes import JobChange, SweepReport
from store.database import Database
from store.deletion import Deletion
from store.followups import Followups
from store.janitor import Janitor
from store.job_list import JobList
from store.jobs import Jobs
from store.pages import Pages
from store.references import References
from store.results import Results
from store.search_index import SearchIndex
from store.shown import Shown


class Store:
    """Rows and blobs of one data directory. All methods may raise OutsideFailed (disk, lock)."""

    def __init__(self, database: Database, blobs: BlobStore) -> None:
        references = References(database, blobs)
        self.blobs = blobs
        self._database = database
        self._job_list = JobList(database)
        self._jobs = Jobs(database, blobs, references)
        self._pages = Pages(database, blobs, references)
        self._results = Results(database, blobs, references)
        self._agreements = Agreements(database)
        self._attempts = Attempts(database)
        self._shown = Shown(database)
        self._followups = Followups(database, blobs, references)
        self._search = SearchIndex(database)
        self._deletion = Deletion(database, references)
        self._janitor = Janitor(database, blobs, references, self._deletion)

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Make the directories, bring the schema up to date, connect.

        Many processes may do so at once. Misconfigured when the directory cannot be written, or
        the database is damaged or newer than this code.
        """
        try:
            blobs = BlobStore(settings.data.absolute())
            database = Database.open(settings)
        except OSError as error:
            raise Misconfigured(
                f"The data directory {settings.data} cannot be used: {error.strerror}.",
                param="data",
            ) from error
        return cls(database, blobs)

    def close(self) -> None:
        """Close the database connections."""
        self._database.close()

    # web

    def add_document(self, document_id: str, media_type: str, size_bytes: int) -> int | None:
        """Add the row of a document whose blob is stored; again: changes nothing.

        How many pages it has, None when it was never opened.
        """
        return self._jobs.add_document(document_id, media_type, size_bytes)

    def add_jobs(self, jobs: Sequence[NewJob]) -> list[Job]:
        """Add queued jobs in one transaction, in the order given.

        NotFound (`document_not_found`, `job_not_found`) when a document or parent is gone.
        """
        return self._jobs.add(jobs)

    def discard(self, blobs: Sequence[str]) -> None:
        """Give up blobs that were stored for nothing: those that nobody uses are removed."""
        self._jobs.discard(blobs)

    def job(self, job_id: str) -> Job:
        """One job. NotFound (`job_not_found`)."""
        return self._job_list.get(job_id)

    def jobs(
        self,
        *,
        state: JobState | None = None,
        engine: str | None = None,
        q: str = "",
        limit: int = 50,
        cursor: str | None = None,
    ) -> tuple[list[Job], str | None]:
        """Jobs, newest first, and the cursor of the next page or None.

        `q` is part of the document's name in any case, or words of a page's text. `engine` is one
        of the names that the job asked for, or that has read a page in place of one of them.
        Refused (`bad_cursor`, `bad_limit`).
        """
        return self._job_list.page(state, engine, q, limit, cursor)

    def runs(self, job_id: str, *, limit: int = 50) -> list[Job]:
        """Other jobs over the same document, newest first. NotFound (`job_not_found`)."""
        return self._job_list.runs(job_id, limit)

    def work_before(self, job_id: str) -> tuple[int, int]:
        """(open jobs, their unsettled pages) that are older in the job's lane, or in a lane above.

        NotFound (`job_not_found`).
        """
        return self._job_list.work_before(job_id)

    def open_work(self) -> tuple[int, int]:
        """(unfinished jobs, unsettled pages of them)."""
        return self._job_list.open_work()

    def pages(self, job_id: str, *, after: int = 0, limit: int | None = None) -> list[PageTask]:
        """Page tasks by page, then engine. NotFound (`job_not_found`).

        `limit` counts page numbers: the engines of one page stay together.
        """
        return self._pages.tasks(job_id, after, limit)

    def page_result(self, job_id: str, page: int, engine: str | None = None) -> PageResult:
        """One page; without `engine` the one taken, else the first engine asked for that read it.

        `engine` is what was asked for ("auto"), or the engine that has read the page.
        NotFound (`job_not_found`, `page_not_found`, `page_not_ready`).
        """
        return self._results.get(job_id, page, engine)

    def results(self, job_id: str) -> Iterator[PageResult]:
        """All results by page, then engine, a few in memory at a time. NotFound (`job_not_found`).

        It is no snapshot: pages that settle behind the reader's position are seen.
        """
        return self._results.stream(job_id)

    def taken_result(self, job_id: str, page: int) -> PageResult | None:
        """The reading that was taken for a page; None where nobody took one."""
        return self._shown.taken(job_id, page)

    def images(self, job_id: str) -> list[str]:
        """The blobs of all figures in a job's results, each once. NotFound (`job_not_found`)."""
        return self._shown.images(job_id)

    def has_image(self, job_id: str, sha256: str) -> bool:
        """Whether the blob is a figure of one of the job's pages."""
        return self._shown.has_image(job_id, sha256)

    def attempts(self, job_id: str, page: int, asked: str) -> list[Attempt]:
        """Attempts at a page that gave no accepted answer, in order, with what was said."""
        return self._attempts.of_page(job_id, page, asked)

    def page_image(self, document_id: str, page: int) -> str | None:
        """The blob of a page's preview image."""
        return self._pages.image(document_id, page)

    def move_job(self, job_id: str, lane: Lane) -> Job:
        """Give an open job another priority. Conflict (`job_is_final`), NotFound."""
        return self._jobs.move(job_id, lane)

    def cancel_job(self, job_id: str) -> Job:
        """Cancel a job and its unsettled pages. Conflict (`job_is_final`), NotFound."""
        return self._jobs.cancel(job_id)

    def delete_job(self, job_id: str) -> None:
        """Remove a job, its results, and the document and blobs that nothing else uses.

        Conflict: `job_is_open` unless it is final, `job_in_use` while an open replay reads it.
        """
        self._deletion.delete(job_id)

    def search(self, q: str, *, limit: int = 20, offset: int = 0) -> list[SearchHit]:
        """Pages that have all words of `q`, best first. Words may go on; "in quotes": whole.

        Refused (`bad_limit`, `bad_offset`).
        """
        return self._search.search(q, limit, offset)

    def want(self, job_id: str, kind: str) -> Wanted:
        """Ask the collect stage for an export, a merge or a comparison (`shared.followups`).

        What is asked for already stays as it is; what failed lately comes back with its failure;
        what was compared already is made, and no wish.
        Conflict (`job_is_open`, `no_result`), NotFound (`job_not_found`).
        """
        return self._followups.want(job_id, kind)

    def wish(self, job_id: str, kind: str) -> Wanted | None:
        """What was asked for and is not made yet; None when it is made or was never asked for."""
        return self._followups.wish(job_id, kind)

    def take_page(
        self, job_id: str, page: int, engine: str | None, from_job: str | None = None
    ) -> Job:
        """Show this engine's reading of a page in the result, also one of another job.

        `engine` None goes back to the rule. The files are merged anew, exports dropped. Conflict
        (`other_document`, `page_not_ready`, `no_result`), NotFound (`page_not_found`).
        """
        return self._followups.take(job_id, page, engine, from_job)

    def choices(self, job_id: str) -> dict[int, Choice]:
        """The pages that were taken from somewhere, by page."""
        return self._followups.choices(job_id)

    def agreements(
        self, job_id: str, other_job: str, *, limit: int, offset: int = 0
    ) -> tuple[list[PageAgreement], int]:
        """Compared pages, the least alike first, and how many there are. NotFound."""
        return self._agreements.worst(job_id, other_job, limit, offset)

    # split

    def start_job(self, job_id: str, document_pages: int, tasks: Sequence[tuple[int, str]]) -> Job:
        """Write the (page, engine asked for) rows of a queued job and set it running.

        No change when it is not queued.
        """
        return self._pages.start(job_id, document_pages, tasks)

    def count_pages(self, document_id: str, document_pages: int) -> None:
        """Keep how many pages a document has, though no job of it could be started."""
        self._pages.count(document_id, document_pages)

    def fail_job(self, job_id: str, failure: Failure) -> Job:
        """Fail an open job and cancel its unsettled pages; no change when it is final."""
        return self._jobs.fail(job_id, failure)

    def pending(
        self, job_id: str, *, after: tuple[int, str] = (0, ""), limit: int
    ) -> list[PageTask]:
        """Unsettled page tasks behind (page, engine asked for), in that order."""
        return self._pages.pending(job_id, after, limit)

    def still_pending(self, job_id: str, keys: Sequence[tuple[int, str]]) -> list[PageTask]:
        """Those of these (page, engine asked for) that are not settled."""
        return self._pages.still_pending(job_id, keys)

    def note_routes(self, job_id: str, routes: Mapping[tuple[int, str], Route]) -> None:
        """Name the engines that unsettled pages have been sent to, by (page, engine asked for)."""
        self._pages.note_routes(job_id, routes)

    def add_page_images(
        self,
        document_id: str,
        images: Mapping[int, str],
        inks: Mapping[int, float] | None = None,
    ) -> None:
        """Name the preview blobs of pages and how much ink is on them; the newest wins."""
        self._pages.add_images(document_id, images, inks or {})

    def page_look(self, document_id: str, page: int) -> tuple[str | None, float | None]:
        """The blob of a page's preview image and the page's ink, None where not known."""
        return self._pages.look(document_id, page)

    def reusable(
        self, document_id: str, page: int, engine: str, options: Mapping[str, Any]
    ) -> PageResult | None:
        """The newest committed result of this engine for the same document, page and options."""
        return self._results.reusable(document_id, page, engine, options)

    # collect

    def settle(self, batch: Sequence[Settled | Retry]) -> list[JobChange]:
        """Write final states, results and retries in one transaction; the first for each page wins.

        Page tasks that are settled or unknown are ignored, and so are failures, retries and
        last resorts of another turn than the page's. The changes name only jobs for which
        something was written. ValueError, and nothing is written, when a state is not final or a
        page is done without a result.
        """
        return self._results.settle(batch)

    def finish_job(self, job_id: str, artifacts: Mapping[str, str]) -> Job:
        """Close a running job whose pages are settled, with its files (format to blob).

        `done`, or `failed` when every page failed. No change when it is final. Conflict
        (`job_is_open`) while pages are unsettled.
        """
        return self._jobs.finish(job_id, artifacts)

    def wishes(self) -> list[Wanted]:
        """What is asked for and not made, the oldest first, without what failed."""
        return self._followups.wishes()

    def fulfil(self, wish: Wanted, files: Mapping[str, str]) -> Job | None:
        """Name the files (format to blob) that were made for a wish, and end it.

        None, and the files are thrown away, when the wish was withdrawn or asked anew meanwhile.
        """
        return self._followups.fulfil(wish, files)

    def fail_wish(self, wish: Wanted, failure: Failure) -> None:
        """Say why a wish cannot be fulfilled."""
        self._followups.fail(wish, failure)

    def put_agreements(
        self, job_id: str, other_job: str, measured: Sequence[PageAgreement]
    ) -> None:
        """Keep how far the pages of two jobs, or of a job's engines, agree; replaces old ones."""
        self._agreements.put(job_id, other_job, measured)

    def open_jobs(self) -> list[Job]:
        """Queued and running jobs, oldest first."""
        return self._job_list.open()

    def complete_jobs(self) -> list[str]:
        """Running jobs with all pages settled: after a crash, those to merge and finish."""
        return self._job_list.complete()

    def checkpoint(self) -> None:
        """Do beside the commits what one of them would have to do now and then: tidy their log."""
        self._database.checkpoint()

    def sweep(self, *, older_than_seconds: float) -> SweepReport:
        """Mend what crashes left, older than that: unfinished deletes and uploads, lost blobs."""
        return self._janitor.sweep(older_than_seconds)
