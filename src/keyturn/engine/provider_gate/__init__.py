"""How hard a provider may be asked, and who waits for what another was told.

`gate` is what the use cases call; `places` are a host's places and its queue, `lane` what is known of a class of
requests to a host, `alarms` what is known of a connector's set-up; what holds whom is a table in the core.
"""

from keyturn.core.renewal.isolation import RequestKind
from keyturn.engine.provider_gate.asking import Asking
from keyturn.engine.provider_gate.gate import ProviderGate

__all__ = ["Asking", "ProviderGate", "RequestKind"]
