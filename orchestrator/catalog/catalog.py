"""All models that a run can be given, with today's prices, and what a name means."""

import difflib
from datetime import UTC, date, datetime

from orchestrator.catalog.entries import CatalogEntry, added, overridden, shipped_entries, unsourced
from orchestrator.catalog.local import with_installed
from orchestrator.catalog.overrides import Override, read_overrides
from orchestrator.catalog.simulated import simulated_models
from orchestrator.domain.base import Frozen
from orchestrator.domain.errors import UserInputError
from orchestrator.domain.model import ModelSpec, find_model
from orchestrator.settings import Settings
from orchestrator.settings.catalog import catalog_settings

_SHOWN_CHARS = 60
_LIKENESS = 0.5  # of a name that is suggested instead


class Catalog(Frozen):
    """The models of one day. `entries` are all of them, `models` those that are neither retired nor missing."""

    day: date
    entries: tuple[CatalogEntry, ...]
    models: tuple[ModelSpec, ...]

    def resolve(self, name: str) -> ModelSpec:
        """The model that `name` means: `vendor:model`, the model's name, an alias, or the name of a retired model.

        Raises UserInputError, one line, for a name that means nothing, a retired model without successor, and a
        local model that is not here.
        """
        found = find_model(name, self.models)
        if found is not None:
            return found
        gone = find_model(name, (entry.spec for entry in self.entries))
        if gone is not None:
            entry = next(entry for entry in self.entries if entry.spec.id == gone.id)
            raise UserInputError(f"{gone.id}: {self.why_gone(entry)}; 'orch-cli models' lists what can be asked")
        raise UserInputError(f"unknown model {name[:_SHOWN_CHARS]!r}; {self._nearest(name)}")

    def _nearest(self, name: str) -> str:
        ids = {known.casefold(): m.id for m in self.models for known in (m.model, m.id, *m.aliases)}
        near = difflib.get_close_matches(name[:_SHOWN_CHARS].casefold(), ids, n=1, cutoff=_LIKENESS)
        return f"did you mean '{ids[near[0]]}'?" if near else "'orch-cli models' lists them"

    def why_gone(self, entry: CatalogEntry) -> str:
        """Why a model cannot be asked on this day, whoever has a key; empty where it can."""
        if entry.retired(self.day):
            instead = f"; use {entry.successor}" if entry.successor else ""
            return f"retired on {entry.retires_on}{instead}"
        return "" if entry.installed else f"not installed on this machine; run 'ollama pull {entry.spec.model}'"


def open_catalog(settings: Settings, moment: datetime | None = None) -> Catalog:
    """The catalog on the day of `moment` (default: now): our data, then the user's files, then simulated models.

    Asks nobody, so it takes every local model for installed. Takes half a second: the price data is imported here.
    Raises UserInputError for a wrong file or setting.
    """
    chosen = catalog_settings(settings.environment, settings.home)
    when = moment or datetime.now(UTC)
    entries = shipped_entries(when, chosen.rub_per_usd)
    for override in read_overrides(chosen):
        wanted = override.id.casefold()
        before = next((entry for model_id, entry in entries.items() if model_id.casefold() == wanted), None)
        changed = overridden(before or _added(settings, entries, override), override, chosen.rub_per_usd)
        entries[changed.spec.id] = changed
        _refuse_taken_names(entries, changed, override)
    simulated = (unsourced(model, "simulated") for model in simulated_models(settings.simulation))
    return _catalog((*entries.values(), *simulated), when.astimezone(UTC).date())


def catalog_here(settings: Settings) -> Catalog:
    """The catalog of today as this machine can use it: Ollama is asked what it has, keys play no part."""
    catalog = open_catalog(settings)
    return _catalog(with_installed(catalog.entries, settings.vendors.get("ollama")), catalog.day)


def load_catalog(settings: Settings) -> tuple[ModelSpec, ...]:
    """Every model that a run of today can be given, with or without a key, simulated ones last.

    A model whose price is not known has no prices. See `catalog_here`.
    """
    return catalog_here(settings).models


def _catalog(entries: tuple[CatalogEntry, ...], day: date) -> Catalog:
    return Catalog(day=day, entries=entries, models=_current(entries, day))


def _added(settings: Settings, entries: dict[str, CatalogEntry], override: Override) -> CatalogEntry:
    vendor = override.id.partition(":")[0]
    region = next((entry.spec.region for entry in entries.values() if entry.spec.vendor == vendor), "")
    definition = settings.definitions.get(vendor)
    return added(override, region, definition.capabilities if definition else None)


def _current(entries: tuple[CatalogEntry, ...], day: date) -> tuple[ModelSpec, ...]:
    """The models that are not retired; each has the names of those that it replaces."""
    by_id = {entry.spec.id: entry for entry in entries}
    inherited: dict[str, list[str]] = {}
    for entry in entries:
        heir, seen = entry, {entry.spec.id}
        while heir.retired(day) and heir.successor in by_id and heir.successor not in seen:
            heir = by_id[heir.successor]
            seen.add(heir.spec.id)
        if heir is not entry and not heir.retired(day):
            inherited.setdefault(heir.spec.id, []).extend((entry.spec.model, *entry.spec.aliases))
    return tuple(
        entry.spec.model_copy(update={"aliases": (*entry.spec.aliases, *inherited.get(entry.spec.id, ()))})
        for entry in entries
        if entry.installed and not entry.retired(day)
    )


def _refuse_taken_names(entries: dict[str, CatalogEntry], changed: CatalogEntry, override: Override) -> None:
    others = [entry.spec for entry in entries.values() if entry is not changed]
    for alias in override.value.aliases or ():
        owner = find_model(alias, others)
        if owner is not None:
            raise override.where("aliases", f"{alias!r} already means {owner.id}; choose another name")
