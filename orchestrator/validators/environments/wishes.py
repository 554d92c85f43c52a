"""Which Python distributions are to be installed: declared ones and resolved imports, under the policy."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from orchestrator.domain.apps import DependencyPolicy
from orchestrator.domain.findings import Finding
from orchestrator.validators.environments.imports import Imported, distributions_of, foreign_imports
from orchestrator.validators.environments.requirements import NAME, Declared, read_manifests
from orchestrator.validators.results import clean


@dataclass
class Wishes:
    """What to install, by normalised name; imports whose distribution nobody knows; what is refused."""

    wanted: dict[str, list[Declared]] = field(default_factory=dict)
    resolved: set[str] = field(default_factory=set)
    unknown: list[Imported] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The requirements as an installer reads them, in order."""
        return sorted({str(item.requirement) for items in self.wanted.values() for item in items})

    def without(self, names: Iterable[str]) -> "Wishes":
        """The same, with these distributions left out."""
        gone = set(names)
        kept = {name: items for name, items in self.wanted.items() if name not in gone}
        return Wishes(kept, self.resolved - gone, self.unknown, self.findings)


def python_wishes(files: Mapping[str, bytes], policy: DependencyPolicy, at_hand: Mapping[str, str]) -> Wishes:
    """What the files need. `at_hand` (name to version) is there anyway, so that only other versions are asked for."""
    manifests = read_manifests(files)
    wishes = Wishes(findings=list(manifests.findings))
    declared = {item.name for item in manifests.declared}
    for item in manifests.declared:
        if not _satisfied(item.requirement, at_hand):
            _want(item, policy, wishes)
    for imported in foreign_imports(files):
        known = distributions_of(imported.module)
        if not known and canonicalize_name(imported.top) not in declared:
            wishes.unknown.append(imported)
        for text in known:
            choices = [Declared(Requirement(part), imported.path, imported.line) for part in text.split("|")]
            if not {item.name for item in choices} & (declared | manifests.own_names | at_hand.keys()):
                wishes.resolved.add(choices[0].name)
                _want(choices[0], policy, wishes)
    wishes.resolved &= wishes.wanted.keys()
    return wishes


def refusal(name: str, policy: DependencyPolicy, *, direct: bool = True) -> str:
    """Why the policy refuses the distribution with this normalised name, empty if it does not.

    What others need (not `direct`) may be absent from `allowed`; `denied` holds for it too.
    """
    if name in {canonicalize_name(denied) for denied in policy.denied}:
        return "denied"
    if direct and policy.allowed and name not in {canonicalize_name(allowed) for allowed in policy.allowed}:
        return "not-allowed"
    return ""


def undeclared(path: str, files: Mapping[str, bytes], names: tuple[str, ...], requirement: str) -> Finding:
    """A requirement that the nearest of the manifests `names` should hold, on account of an import in `path`."""
    folders = ["" if str(folder) == "." else f"{folder}/" for folder in PurePosixPath(path).parents]
    manifests = [f"{folder}{name}" for folder in folders for name in names]
    place = next((manifest for manifest in manifests if manifest in files), path)
    where = f" in {place}" if place != path else ", in a manifest"
    message = f"{path} needs {requirement}, which no manifest declares: declare it{where}"
    return Finding(validator=NAME, path=place, rule="undeclared", message=clean(message))


def pins(policy: DependencyPolicy) -> dict[str, str]:
    """Exact versions by normalised name."""
    return {canonicalize_name(name): version for name, version in policy.pinned.items()}


def finding(item: Declared | Imported, rule: str, message: str) -> Finding:
    """A finding at the place that asks for a distribution."""
    return Finding(validator=NAME, path=item.path, line=item.line, rule=rule, message=clean(message))


def _want(item: Declared, policy: DependencyPolicy, wishes: Wishes) -> None:
    rule = refusal(item.name, policy)
    if rule == "denied":
        wishes.findings.append(finding(item, rule, f"{item.requirement.name} is denied by the project's policy"))
        return
    if rule:
        allowed = ", ".join(policy.allowed)
        message = f"{item.requirement.name} is not among the packages that the project's policy allows: {allowed}"
        wishes.findings.append(finding(item, rule, message))
        return
    if version := pins(policy).get(item.name):
        if not _contains(item.requirement.specifier, version):
            message = (
                f"the project's policy pins {item.requirement.name} to {version}, which {item.requirement} excludes"
            )
            wishes.findings.append(finding(item, "pinned", message))
        item = Declared(_pinned(item.requirement, version), item.path, item.line)
    wishes.wanted.setdefault(item.name, []).append(item)


def _pinned(requirement: Requirement, version: str) -> Requirement:
    pinned = Requirement(str(requirement))
    try:
        pinned.specifier = SpecifierSet(f"=={version}")
    except InvalidSpecifier:
        return requirement  # the policy's loader tells; the declared range stands
    return pinned


def _satisfied(requirement: Requirement, at_hand: Mapping[str, str]) -> bool:
    version = at_hand.get(canonicalize_name(requirement.name))
    return version is not None and _contains(requirement.specifier, version)


def _contains(specifier: SpecifierSet, version: str) -> bool:
    return specifier.contains(version, prereleases=True)
