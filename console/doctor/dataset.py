"""Whether what a channel brings can go to Meta. Pure."""

import shlex
from collections.abc import Iterator

from console.doctor.findings import ChannelFacts, Check, Finding, Severity
from console.setup.datasets import explained_pause
from shared.capi.payload import dataset_problem
from shared.db.datasets import Dataset, profile_of
from shared.domain.reasons import explain
from shared.domain.sentences import sentence, together


def _dataset(facts: ChannelFacts) -> Iterator[Finding]:
    """Whether what this channel brings can go to Meta."""
    dataset = facts.dataset
    if dataset is None:
        step = sentence("Link one: ctwa channels set {name} --dataset NAME", name=shlex.quote(facts.channel.name))
        words = sentence("It has no dataset, so its leads are counted and never reported.")
        yield _linked(Severity.FAIL, words, step)
        return
    problems = list(_dataset_problems(dataset))
    yield from problems
    if not problems:
        probed = sentence("Its last probe was fine.") if dataset.probe_result == "ok" else ""
        words = together(sentence("Its leads go to dataset {name}.", name=dataset.name), probed)
        yield _linked(Severity.OK, words, None)


def _dataset_problems(dataset: Dataset) -> Iterator[Finding]:
    name = dataset.name
    if dataset.sending != "on":
        step = sentence("When it is to report: ctwa datasets set {name} --sending on", name=shlex.quote(name))
        words = sentence("Sending is {sending} for dataset {name}.", sending=dataset.sending, name=name)
        yield _linked(Severity.WARN, words, step)
    if dataset.credential_id is None:
        step = sentence("Give it one: ctwa datasets set {name} --credential NAME", name=shlex.quote(name))
        yield _linked(Severity.FAIL, sentence("Dataset {name} has no Meta token.", name=name), step)
    if code := dataset_problem(profile_of(dataset)):
        words = sentence("Dataset {name} can't send: {words}", name=name, words=explain(code).words)
        yield _linked(Severity.FAIL, words, explain(code).next_step)
    if pause := explained_pause(dataset):
        severity = Severity.WARN if pause["until"] else Severity.FAIL
        words = sentence("Dataset {name} is paused: {words}", name=name, words=pause["words"])
        yield _linked(severity, words, pause["next_step"])
    elif dataset.probe_result not in (None, "ok"):
        reason = explain(str(dataset.probe_result))
        words = sentence("The last probe of dataset {name} failed: {words}", name=name, words=reason.words)
        yield _linked(Severity.FAIL, words, reason.next_step)


def _linked(severity: Severity, words: str, next_step: str | None) -> Finding:
    return Finding(check="dataset", severity=severity, words=words, next_step=next_step)


CHECKS: tuple[Check, ...] = (_dataset,)
