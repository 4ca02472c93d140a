"""Whether what a channel brings can go to Meta. Pure."""

from collections.abc import Iterator

from console.doctor.findings import ChannelFacts, Check, Finding, Severity
from console.setup.datasets import explained_pause
from shared.capi.payload import dataset_problem
from shared.db.datasets import Dataset, profile_of
from shared.domain.reasons import explain


def _dataset(facts: ChannelFacts) -> Iterator[Finding]:
    """Whether what this channel brings can go to Meta."""
    dataset = facts.dataset
    if dataset is None:
        step = f"Link one: ctwa channels set {facts.channel.name} --dataset NAME"
        yield _linked(Severity.FAIL, "It has no dataset, so its leads are counted and never reported.", step)
        return
    problems = list(_dataset_problems(dataset))
    yield from problems
    if not problems:
        probed = " Its last probe was fine." if dataset.probe_result == "ok" else ""
        yield _linked(Severity.OK, f"Its leads go to dataset {dataset.name}.{probed}", None)


def _dataset_problems(dataset: Dataset) -> Iterator[Finding]:
    name = dataset.name
    if dataset.sending != "on":
        step = f"When it is to report: ctwa datasets set {name} --sending on"
        yield _linked(Severity.WARN, f"Sending is {dataset.sending} for dataset {name}.", step)
    if dataset.credential_id is None:
        step = f"Give it one: ctwa datasets set {name} --credential NAME"
        yield _linked(Severity.FAIL, f"Dataset {name} has no Meta token.", step)
    if code := dataset_problem(profile_of(dataset)):
        yield _linked(Severity.FAIL, f"Dataset {name} can't send: {explain(code).words}", explain(code).next_step)
    if pause := explained_pause(dataset):
        severity = Severity.WARN if pause["until"] else Severity.FAIL
        yield _linked(severity, f"Dataset {name} is paused: {pause['words']}", pause["next_step"])
    elif dataset.probe_result not in (None, "ok"):
        reason = explain(str(dataset.probe_result))
        yield _linked(Severity.FAIL, f"The last probe of dataset {name} failed: {reason.words}", reason.next_step)


def _linked(severity: Severity, words: str, next_step: str | None) -> Finding:
    return Finding(check="dataset", severity=severity, words=words, next_step=next_step)


CHECKS: tuple[Check, ...] = (_dataset,)
