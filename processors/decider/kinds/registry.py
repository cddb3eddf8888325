"""Lists the kinds of rules: whoever compiles, checks or explains rules knows them from here."""

from typing import Annotated, Final, get_args

from pydantic import Field

from processors.decider.kinds.fixed import FixedRule
from processors.decider.kinds.multiplier import MultiplierRule
from processors.decider.kinds.referral import ReferralRule
from processors.decider.kinds.rule import AnyRule
from processors.decider.kinds.spend import SpendRule
from processors.decider.kinds.streak import StreakRule

_Kinds = SpendRule | FixedRule | StreakRule | ReferralRule | MultiplierRule
Rule = Annotated[_Kinds, Field(discriminator="kind")]
RULE_KINDS: Final[dict[str, type[AnyRule]]] = {kind.kind_name(): kind for kind in get_args(_Kinds)}
