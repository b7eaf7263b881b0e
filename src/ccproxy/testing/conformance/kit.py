"""The conformance kit: every law of the architecture, on one dialect.

    KIT = Conformance("klingon", Path(__file__).parent / "cases")

    @pytest.mark.parametrize("check", KIT.checks(), ids=str)
    def test_it_keeps_the_laws(check):
        check()

Strategy: the laws are functions (`laws`, `properties`); this pairs them with what they are about: the golden cases, random
input, and every other dialect of the registry, as upstream and as client. A check is a value that can be called, so any
test runner will do. Nothing here imports pytest, and hypothesis is imported by the first check that needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType

from ccproxy.lightllm.dialect import Dialect
from ccproxy.lightllm.errors import ErrorKind
from ccproxy.lightllm.registry import Registry
from ccproxy.testing.conformance import laws
from ccproxy.testing.conformance.cases import Case, cases_of
from ccproxy.testing.conformance.verdict import LawBroken
from ccproxy.testing.conformance.ways import checked, decode_document, decode_stream

#: Kinds of errors that every dialect has to tell.
_ERRORS: tuple[ErrorKind, ...] = ("rate_limit", "overloaded", "api", "cut", "invalid_request", "quota")


@dataclass(frozen=True)
class Check:
    """One law for one subject. Call it: it raises LawBroken, or returns.

    Attributes:
        law: the number, as in `LAWS`.
        name: what is checked.
        subject: what for: a case, another dialect, or "".
        generated: whether it runs over random input and needs hypothesis.
    """

    law: int
    name: str
    subject: str
    run: Callable[[], None]
    generated: bool = False

    def __str__(self) -> str:
        return "-".join(str(word) for word in (self.law, self.name, self.subject) if word)

    def __call__(self) -> None:
        """Raises LawBroken if the law does not hold, ModuleNotFoundError if hypothesis is needed and not there."""
        try:
            self.run()
        except (LawBroken, _NotInstalled):
            raise
        except Exception as problem:
            text = str(problem) if isinstance(problem, AssertionError) else f"{type(problem).__name__}: {problem}"
            raise LawBroken(self.law, f"{self.name} {self.subject}".strip(), text) from problem


class Conformance:
    """The checks of one dialect.

    Args:
        dialect: the dialect, or its name in the registry.
        cases: the folder with its golden cases (see `cases`); None for random input alone.
        registry: the dialects to convert from and to; by default all that are installed.
        examples: how many random inputs a property is tried with.
    """

    def __init__(
        self,
        dialect: Dialect | str,
        cases: Path | None = None,
        *,
        registry: Registry | None = None,
        examples: int = 60,
    ) -> None:
        known = registry or Registry()
        self.dialect = known.get(dialect) if isinstance(dialect, str) else dialect
        #: This dialect and every other one.
        self.all = [self.dialect, *(other for other in known if other.name != self.dialect.name)]
        self.cases = [] if cases is None else cases_of(self.dialect, cases)
        self.examples = examples

    def checks(self) -> list[Check]:
        """Every check, in the order of the laws."""
        found = [*self._generated(), *self._failures()]
        for case in self.cases:
            found += [*self._streams(case), *self._documents(case), *self._requests(case), *self._errors(case)]
        return sorted(found, key=lambda check: check.law)

    def _generated(self) -> Iterator[Check]:
        def property_(law: int, name: str, *args: object, subject: str = "") -> Check:
            return Check(law, name.replace("_", "-"), subject, self._property(name, *args), generated=True)

        dialect = self.dialect
        yield property_(1, "any_answer_however_cut", dialect)
        yield property_(3, "any_answer_streamed_and_buffered", dialect)
        for other in self.all:
            yield property_(5, "any_answer_from_another", dialect, other, subject=other.name)
            if other is not dialect:
                yield property_(5, "any_answer_from_another", other, dialect, subject=f"to-{other.name}")
                yield property_(7, "any_answer_leaks_nothing", dialect, other, subject=other.name)
        yield property_(5, "any_conversation", dialect, self.all)
        yield property_(6, "any_bytes_end", dialect)
        yield property_(8, "any_conversation_extends_its_beginning", dialect)
        for case in self.cases:
            for name, file in (
                ("a_damaged_stream_ends", "stream.txt"),
                ("a_damaged_document_ends", "document.json"),
                ("a_damaged_request_is_read_or_refused", "request.json"),
            ):
                if case.has(file):
                    yield property_(6, name, case, self.all, subject=case.path.name)

    def _failures(self) -> Iterator[Check]:
        for kind in _ERRORS:
            yield Check(7, "a-failure-stays-one", kind, partial(laws.a_failure_stays_one, self.dialect, kind))
        yield Check(7, "half-an-answer", "", partial(laws.an_answer_that_breaks_off_is_a_failure, self.dialect))

    def _streams(self, case: Case) -> Iterator[Check]:
        if not case.has("stream.txt"):
            return
        dialect, raw, name = self.dialect, case.read("stream.txt"), case.path.name

        def folded() -> None:
            events = decode_stream(dialect, [raw])
            if checked(events).error is None:
                laws.the_buffered_answer_is_the_fold_of_the_stream(dialect, events)

        def crosses(client: Dialect) -> None:
            laws.an_answer_means_the_same_to_a_client(decode_stream(dialect, [raw]), client)

        yield Check(1, "any-cutting", name, partial(laws.any_cutting_gives_the_same_events, dialect, raw))
        yield Check(2, "every-prefix", name, partial(laws.every_prefix_obeys_the_grammar, dialect, raw))
        yield Check(3, "stream-and-document", name, folded)
        yield Check(4, "stream", name, partial(laws.a_stream_is_written_back_as_the_same_answer, dialect, raw))
        for client in self.all:
            yield Check(5, "stream", f"{name}-to-{client.name}", partial(crosses, client))
            if client is not dialect:
                leak = partial(laws.no_frame_of_the_upstream_reaches_a_client, dialect, raw, client)
                yield Check(7, "no-leak", f"{name}-to-{client.name}", leak)

    def _documents(self, case: Case) -> Iterator[Check]:
        name = case.path.name
        if case.has("answer.json"):
            yield Check(4, "answer-value", name, partial(laws.an_answer_is_its_value, case))
        if not case.has("document.json"):
            return
        yield Check(4, "document", name, partial(laws.a_document_is_written_back_as_it_was, case))

        def crosses(client: Dialect) -> None:
            events = decode_document(self.dialect, case.read("document.json"))
            laws.an_answer_means_the_same_to_a_client(events, client)

        for client in self.all:
            yield Check(5, "document", f"{name}-to-{client.name}", partial(crosses, client))

    def _requests(self, case: Case) -> Iterator[Check]:
        if not case.has("request.json"):
            return
        name = case.path.name
        if case.has("ir.json"):
            yield Check(4, "request-value", name, partial(laws.a_request_is_its_value, case))
        yield Check(4, "request", name, partial(laws.a_request_is_written_back_as_it_was, case))

        def law(check: Callable[..., None], target: Dialect) -> None:
            check(case.request(), target)

        for target in self.all:
            subject = f"{name}-to-{target.name}"
            yield Check(5, "request", subject, partial(law, laws.a_request_arrives_or_is_refused, target))
            yield Check(8, "prefix", subject, partial(law, laws.consecutive_requests_share_their_beginning, target))

    def _errors(self, case: Case) -> Iterator[Check]:
        if case.has("error.json"):
            yield Check(4, "error", case.path.name, partial(laws.an_error_is_read_and_written_back, case))

    def _property(self, name: str, *args: object) -> Callable[[], None]:
        def run() -> None:
            getattr(_properties(), name)(*args, self.examples)

        return run


class _NotInstalled(ModuleNotFoundError):
    """What the kit needs is not installed."""


def _properties() -> ModuleType:
    """The module of the properties, which needs hypothesis."""
    try:
        import hypothesis  # noqa: F401
    except ModuleNotFoundError:
        raise _NotInstalled(
            "checks over random input need hypothesis: pip install 'hypothesis>=6.150,<7' (or leave out those whose "
            "`generated` is true)",
            name="hypothesis",
        ) from None
    from ccproxy.testing.conformance import properties

    return properties
