"""What the operator or the author has to mend."""

from __future__ import annotations

from keyturn.core.errors.tree import OperatorError


class ConnectorClientMissing(OperatorError):
    """The connector needs a client id and secret, and the operator has not set them."""

    code = "connector_client_missing"


class ConnectorClientRejected(OperatorError):
    """The provider refuses client id or secret."""

    code = "connector_client_rejected"


class GrantDisabled(OperatorError):
    """The provider does not allow the password grant to this application."""

    code = "provider_grant_disabled"


class ScopeInsufficient(OperatorError):
    """The provider refuses the scope that the connector asks for."""

    code = "scope_insufficient"


class UniqueIdMissing(OperatorError):
    """The answers hold nothing where the connector looks for the account's id."""

    code = "unique_id_missing"


class ValueAbsent(OperatorError):
    """A template of the connector names a value that isn't there."""

    code = "connector_value_absent"

    def __init__(self, path: str) -> None:
        super().__init__(f"the connector uses {path}, which has no value here")
        self.path = path


class KeyUnavailable(OperatorError):
    """The key provider can't be reached."""

    code = "key_unavailable"


class WrongKey(OperatorError):
    """The key at hand is not the one that sealed this data."""

    code = "wrong_key"


class KeyNotMadeHere(OperatorError):
    """KEYTURN_KEYS names the keys, so none is made in the data directory."""

    code = "key_not_made_here"


class KeyStateConflict(OperatorError):
    """What is asked for doesn't go with the state that the key is in."""

    code = "key_state_conflict"


class KeyInUse(OperatorError):
    """A key still wraps data keys, so it can't be retired."""

    code = "key_in_use"


class SealBroken(OperatorError):
    """A sealed value was altered, swapped or belongs elsewhere."""

    code = "seal_broken"


class RowUnreadable(OperatorError):
    """A row holds what can't be read, or a word of a newer release. Other rows are as they were."""

    code = "row_broken"


class StoreUnavailable(OperatorError):
    """The database can't be reached or written."""

    code = "store_unavailable"


class NotReady(OperatorError):
    """A part that is no database and no key is missing: the scheduler, room on the disk, tables of this release."""

    code = "not_ready"


class BackupUnusable(OperatorError):
    """A file is no back-up that can be put back, or none can be written there."""

    code = "backup_unusable"


class RestoreRefused(OperatorError):
    """A back-up is not put back over this database: it is in use, or more has happened in it."""

    code = "restore_refused"


class AuditUnavailable(OperatorError):
    """The place outside the database where the audit log is written down can't be used."""

    code = "audit_unavailable"


class SettingsInvalid(OperatorError):
    """A setting has a value that can't be used."""

    code = "settings_invalid"
