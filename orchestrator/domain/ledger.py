"""The budget: spent + uncertain + reserved never exceeds the cap. Amounts are micro-USD."""

from orchestrator.domain.base import Frozen


class UncertainCharge(Frozen):
    """The upper bound of a call whose fate is unknown."""

    amount_micro: int
    model: str


class Ledger(Frozen):
    """One project's money. Every request is reserved before it is sent and settled once, under its call key.

    `carried` are requests that an earlier run sent and did not live to book: they count as uncertain until this run
    comes to them, and are never sent again.
    """

    max_micro: int
    spent_micro: int = 0
    reserved: dict[str, int] = {}
    uncertain: dict[str, UncertainCharge] = {}
    carried: dict[str, UncertainCharge] = {}

    @property
    def reserved_micro(self) -> int:
        return sum(self.reserved.values())

    @property
    def uncertain_micro(self) -> int:
        return sum(charge.amount_micro for charge in (*self.uncertain.values(), *self.carried.values()))

    @property
    def committed_micro(self) -> int:
        """What is gone for good, whatever open reservations turn out to be."""
        return self.spent_micro + self.uncertain_micro

    def fits(self, amount_micro: int) -> bool:
        """True if this much can be reserved right now."""
        return self.committed_micro + self.reserved_micro + amount_micro <= self.max_micro

    def can_ever_fit(self, amount_micro: int) -> bool:
        """False if it could not be reserved even after all open reservations settled at nothing."""
        return self.committed_micro + amount_micro <= self.max_micro

    def reserve(self, key: str, amount_micro: int) -> "Ledger":
        """Set `amount_micro` aside for one request. Raises ValueError if it does not fit.

        So does a key that is open or of unknown fate: its charge would be dropped. For a request that is carried its
        amount is set aside already.
        """
        before = self._uncarried(key)
        if key in self.reserved or key in self.uncertain or not before.fits(amount_micro):
            raise ValueError(f"cannot reserve {amount_micro} micro-USD for {key}")
        return before.model_copy(update={"reserved": {**self.reserved, key: amount_micro}})

    def settle(self, key: str, actual_micro: int) -> "Ledger":
        """Book what the request cost, at most what was reserved for it: the cap must hold."""
        booked = min(actual_micro, self.reserved[key])
        return self._without(key).model_copy(update={"spent_micro": self.spent_micro + booked})

    def settle_uncertain(self, key: str, model: str) -> "Ledger":
        """Book the whole reservation, as a charge that reconciliation may still lower."""
        charge = UncertainCharge(amount_micro=self.reserved[key], model=model)
        return self._without(key).model_copy(update={"uncertain": {**self.uncertain, key: charge}})

    def carry(self, key: str, model: str) -> "Ledger":
        """Turn a reservation back into the charge of an earlier run: this one could not ask what came of it."""
        charge = UncertainCharge(amount_micro=self.reserved[key], model=model)
        return self._without(key).model_copy(update={"carried": {**self.carried, key: charge}})

    def release(self, key: str) -> "Ledger":
        """Give a reservation back: nothing was billed."""
        return self._without(key)

    def reconcile(self, key: str, actual_micro: int) -> "Ledger":
        """An uncertain request did finish: its actual cost replaces the upper bound."""
        booked = min(actual_micro, self.uncertain[key].amount_micro)
        rest = {name: charge for name, charge in self.uncertain.items() if name != key}
        return self.model_copy(update={"uncertain": rest, "spent_micro": self.spent_micro + booked})

    def _uncarried(self, key: str) -> "Ledger":
        rest = {name: charge for name, charge in self.carried.items() if name != key}
        return self.model_copy(update={"carried": rest})

    def _without(self, key: str) -> "Ledger":
        rest = {name: amount for name, amount in self.reserved.items() if name != key}
        return self.model_copy(update={"reserved": rest})
