"""The builder's use cases in one value."""

from __future__ import annotations

from dataclasses import dataclass, field

from keyturn.core.urls.public_suffixes import PublicSuffixes
from keyturn.engine.builder.drafts import Drafts
from keyturn.engine.builder.looked_at import LookedAt
from keyturn.engine.builder.review import ReviewDraft
from keyturn.engine.builder.trials import Trials
from keyturn.engine.builder.unsaved import Unsaved


@dataclass(frozen=True, slots=True)
class Builder:
    """Edits of a draft, trials of it, and the review before it is published. `suffixes`: for what judges URLs."""

    drafts: Drafts
    trials: Trials
    review: ReviewDraft
    unsaved: Unsaved
    suffixes: PublicSuffixes
    looked_at: LookedAt = field(default_factory=LookedAt)
