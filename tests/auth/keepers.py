"""A gatekeeper of local accounts alone."""

from collections.abc import Callable, Collection, Mapping, Sequence

from sekisho.auth.accounts import AccountStore
from sekisho.auth.gatekeeper import Door, Gatekeeper, GatekeeperOptions
from sekisho.auth.hashing import HashingPool
from sekisho.auth.local import LocalAuthenticator
from sekisho.auth.lockout import Lockout, LockoutRules, Success
from sekisho.model.rules import IPAddress


def local_gatekeeper(
    store: AccountStore,
    pool: HashingPool,
    *,
    clock: Callable[[], float],
    exempt: Collection[IPAddress] = (),
    rules: LockoutRules | None = None,
    doors: Mapping[str, Door] | None = None,
) -> Gatekeeper:
    """Put one together."""

    async def keep(batch: Sequence[Success]) -> None:
        await pool.run(store.keep_successes, batch)

    return Gatekeeper(
        [LocalAuthenticator(store, pool, clock=clock)],
        Lockout(rules or LockoutRules(), exempt, store.successes()),
        clock=clock,
        options=GatekeeperOptions(decoy_secret=store.decoy_secret, keep_successes=keep),
        doors=doors,
    )
