"""Every text of the connect page, in German: the keys and placeholders of the English table.

Rule 1: `{app}` may stand for "die Anwendung", so each sentence takes it in the nominative or accusative.
Rule 2: people are addressed with "Sie".
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_PAGES: Final = {
    "app.unnamed": "die Anwendung",
    "app.unnamed_first": "Die Anwendung",
    "skip": "Zum Inhalt springen",
    "title.error": "Fehler: {title}",
    "continue": "Weiter",
    "cancel": "Abbrechen",
    "cancel.return": "Abbrechen und zurück an {app}",
    "return": "Zurück an {app}",
    "new_tab": "(öffnet einen neuen Tab)",
    "again": "Noch einmal versuchen",
    "support.title": "Für die Hilfe",
    "support.hint": "Wenn Sie um Hilfe bitten, schicken Sie dies mit. Es nennt kein Konto.",
    "support.code": "Problem: {code}",
    "support.request": "Kennung der Anfrage: {id}",
    "support.time": "Zeit: {at}",
    "support.place": "Seite: {host}",
    "support.copy": "Kopieren",
    "support.copied": "Kopiert",
    "optional": "(freiwillig)",
    "languages": "Sprache",
    "help": "Hilfe",
    "months": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "date": "{day}. {month} {year}",
    "summary.title": "Es gibt ein Problem",
    "heading.connect": "Ihr Konto bei {provider} verbinden",
    "heading.reconnect": "Noch einmal bei {provider} anmelden",
    "landing.asks": "{app} bittet um Zugriff auf Ihr Konto bei {provider}.",
    "landing.asks_for": "{app} bittet um Zugriff auf Ihr Konto bei {provider}, für {owner}.",
    "landing.repairs": "{app} hat den Zugriff auf Ihr Konto bei {provider} verloren und bittet Sie, sich noch einmal "
    "anzumelden.",
    "landing.next": "Auf der nächsten Seite geben Sie Benutzernamen und Passwort von {provider} ein.",
    "landing.next_details": "Zuerst sagen Sie, wo Ihr Konto bei {provider} liegt, dann geben Sie Benutzernamen und "
    "Passwort ein.",
    "landing.host": "Sie werden an {host} gesendet.",
    "landing.operator": "Diese Seite betreibt {operator} unter {page_host}.",
    "landing.no_operator": "Diese Seite liegt unter {page_host}.",
    "landing.once": "Dieser Link gilt einmal und nur in diesem Browser.",
    "details.heading": "Wo liegt Ihr Konto bei {provider}?",
    "details.lead": "Davon hängt ab, wohin Ihr Passwort gesendet wird. Es wird jetzt noch nicht verlangt.",
    "details.sent_to": "Das Passwort geht an {host}",
    "details.self_hosted": "Geben Sie nur die Adresse ein, und prüfen Sie sie: Ihr Passwort geht dorthin.",
    "statement.label": "Bevor Sie Ihr Passwort eingeben",
    "statement.asks": "{app} bittet um Zugriff.",
    "statement.asks_for": "{app} bittet um Zugriff, für {owner}.",
    "statement.where": "Sie geben Ihr Passwort für {provider} bei {page_host} ein.",
    "statement.where_operator": "Sie geben Ihr Passwort für {provider} bei {page_host} ein, betrieben von {operator}.",
    "statement.sent": "Es wird verschlüsselt an {host} gesendet.",
    "statement.sent_plain": "Es wird an {host} gesendet.",
    "statement.change_host": "Ändern",
    "statement.not_kept": "Ihr Passwort wird einmal benutzt und nicht aufbewahrt. Wir bewahren die Zugangsschlüssel "
    "auf, die {provider} zurückgibt.",
    "statement.kept": "Ihr Passwort wird verschlüsselt aufbewahrt: Ohne das geht es nicht. Grund: {reason}",
    "statement.offered": "Ihr Passwort wird einmal benutzt und nicht aufbewahrt, es sei denn, Sie wählen unten, "
    "verbunden zu bleiben. Wir bewahren die Zugangsschlüssel auf, die {provider} zurückgibt.",
    "statement.way_out": "Sie können das jederzeit beenden und alles löschen lassen, was aufbewahrt wird: auf einer "
    "eigenen Seite, die sich nach dem Verbinden öffnen lässt, oder in {app}.",
    "statement.also_kept": "Ebenfalls aufbewahrt: {labels}.",
    "statement.address": "{provider} verlangt es so: Ihre Netzadresse (IP) wird bei der Anmeldung dorthin "
    "weitergegeben. Wir bewahren sie nicht auf.",
    "statement.session.one": "{provider} erlaubt nur eine Sitzung: Das Verbinden beendet die, die es schon gibt.",
    "statement.session.other": "{provider} erlaubt {count} Sitzungen zugleich: Das Verbinden kann eine beenden, die es "
    "schon gibt.",
    "statement.session.few": "{provider} erlaubt nur wenige Sitzungen zugleich: Das Verbinden kann eine beenden, die "
    "es schon gibt.",
    "statement.session.first": "Wenn dieses Konto hier schon verbunden ist, endet dessen Sitzung, bevor Ihr Passwort "
    "geprüft wird.",
    "statement.reach": "{app} kann damit {provider} in Ihrem Namen benutzen, unter: {hosts}.",
    "statement.stop": "Fahren Sie nicht fort, wenn Sie dies nicht über {app} begonnen haben.",
    "statement.any_below": "jede Adresse unter {domain}",
    "warning.plain": "Diese Verbindung ist nicht verschlüsselt: Jeder auf dem Weg kann Ihr Passwort lesen.",
    "warning.private": "Diese Adresse liegt in einem privaten Netz.",
    "warning.lookalike": "Diese Adresse hat Buchstaben eines anderen Alphabets und sieht einer, die Sie kennen, "
    "vielleicht nur ähnlich.",
    "safer.title": "Es gibt einen sichereren Weg",
    "safer.link": "Bei {provider} können Sie sich verbinden, ohne Ihr Passwort hier einzugeben.",
    "safer.open": "Den sichereren Weg nehmen",
    "safer.named": "{app} könnte sich mit {provider} über „{connector}“ verbinden, ohne Ihr Passwort. Fragen Sie dort "
    "danach.",
    "retired.summary": "Bei dieser Art der Verbindung geben Sie Ihr Passwort weiter; sie gilt als überholt. Warum es "
    "sie hier noch gibt",
    "retired.standards": "Neuere Normen für die Anmeldung (OAuth 2.1, RFC 9700) kennen sie nicht mehr.",
    "retired.legacy": "{provider} ist ein älteres System, das noch nicht umgestellt ist.",
    "retired.first_party": "{provider} und die Anwendung gehören zum selben Haus.",
    "retired.no_alternative": "{provider} bietet heute keinen anderen Weg.",
    "form.show": "Passwort anzeigen",
    "form.hide": "Passwort verbergen",
    "form.shown": "Ihr Passwort ist sichtbar",
    "form.hidden": "Ihr Passwort ist verborgen",
    "form.sending": "Wird bei {host} geprüft …",
    "form.connect": "Verbinden",
    "form.stay": "Verbunden bleiben",
    "form.stay_hint": "Ihr Passwort wird dann verschlüsselt aufbewahrt und benutzt, um den Zugriff zu erneuern. "
    "Grund: {reason}",
    "form.choose": "Bitte wählen",
    "form.keep_seed": "Diesen Schlüssel aufbewahren und meine Codes daraus bilden",
    "form.keep_seed_hint": "Er wird dann verschlüsselt aufbewahrt, und {provider} bekommt einen Code, ohne dass Sie "
    "gefragt werden. Neben einem aufbewahrten Passwort macht er aus zwei Faktoren einen. Wenn Sie das nicht wollen, "
    "lassen Sie beides leer.",
    "form.keep_seed_missing": "Kreuzen Sie das Feld an, wenn „{label}“ aufbewahrt werden darf, oder lassen Sie es leer",
    "form.stale": "Es wurde nichts gesendet: Dieses Formular war veraltet. Prüfen Sie die Adresse und geben Sie Ihr "
    "Passwort noch einmal ein.",
    "done.heading": "Ihr Konto bei {provider} ist verbunden",
    "done.lead": "{app} kann jetzt dieses Konto benutzen: {account}.",
    "done.updated": "Es war schon verbunden, seit dem {date}. Diese Verbindung wurde behalten und hat jetzt neue "
    "Zugangsschlüssel.",
    "done.unchanged": "Es ist die Verbindung, die es seit dem {date} gibt. An ihr wurde nichts geändert.",
    "done.confirm": "Gehen Sie zum Abschluss zurück an {app}: Vorher kann mit der Verbindung nichts geschehen.",
    "done.kept": "Was jetzt gespeichert ist",
    "done.keys": "Die Zugangsschlüssel, die {provider} zurückgegeben hat, verschlüsselt.",
    "done.password": "Ihr Passwort, verschlüsselt. Grund: {reason}",
    "done.no_password": "Ihr Passwort ist nicht gespeichert.",
    "done.fields": "Aus dem Formular: {labels}.",
    "done.end": "Wie Sie die Verbindung trennen",
    "done.end_how": "Trennen Sie sie über {app}, oder fragen Sie {operator}.",
    "done.end_how_app": "Trennen Sie sie über {app}.",
    "done.end_revoked": "Dann wird {provider} gesagt, dass der Zugriff endet, und alles hier Gespeicherte wird "
    "gelöscht.",
    "done.end_forgotten": "Dann wird alles hier Gespeicherte gelöscht. {provider} kann davon nicht unterrichtet "
    "werden: Beenden Sie den Zugriff auch dort in Ihrem Konto.",
    "done.close": "Sie können diese Seite schließen.",
    "failed.heading": "Sie haben hier abgebrochen",
    "failed.lead": "Es wurde nichts verbunden. Das Passwort wurde nicht aufbewahrt.",
    "failed.again": "Dieser Link ist verbraucht. Möchten Sie doch verbinden, bitten Sie {app} um einen neuen.",
}  # fmt: skip

_STEPS: Final = {
    "code.heading": "{provider} verlangt noch einen Schritt",
    "code.lead": "{provider} will sichergehen, dass Sie es sind. Ihre Antwort wird einmal dorthin gesendet und nicht "
    "aufbewahrt.",
    "code.lead_otp": "{provider} möchte einen Einmalcode: „{label}“. Er wird einmal dorthin gesendet und nicht "
    "aufbewahrt.",
    "code.lead_sent": "{provider} möchte den Einmalcode, der Ihnen geschickt wurde: „{label}“. Er wird einmal dorthin "
    "gesendet und nicht aufbewahrt.",
    "code.lead_choice": "{provider} kann auf mehr als eine Art sichergehen, dass Sie es sind. Wählen Sie eine davon.",
    "code.where": "Sie geben sie bei {page_host} ein, um {app} zu verbinden.",
    "code.left": "Für diesen Schritt bleiben {duration}.",
    "code.part": "Frage {number} von {count}",
    "code.wrong": "{provider} hat den Code nicht angenommen.",
    "code.wrong_next": "Geben Sie einen neuen ein.",
    "code.tries.one": "Sie haben noch einen Versuch, dann melden Sie sich noch einmal an.",
    "code.tries.other": "Sie haben noch {count} Versuche, dann melden Sie sich noch einmal an.",
    "code.form": "Es wurde nichts gesendet: Dieses Formular war veraltet. Antworten Sie noch einmal.",
    "code.missing": "Sie haben keinen Code bekommen?",
    "code.resend": "Einen anderen Code senden",
    "code.resend_in": "In {duration} kann ein anderer gesendet werden.",
    "code.resend_now": "Jetzt kann ein anderer gesendet werden.",
    "code.resent": "Ein anderer Code ist unterwegs. Geben Sie den neuesten ein.",
    "code.too_soon": "Es wurde noch kein anderer Code gesendet: Der letzte ist noch unterwegs.",
    "code.resend_failed": "Es konnte kein anderer Code gesendet werden. Nehmen Sie den letzten, oder melden Sie sich "
    "noch einmal an.",
    "code.change": "Die Antwort davor ändern",
    "code.sign_in": "Stattdessen noch einmal anmelden",
    "push.heading": "Bestätigen Sie auf Ihrem Gerät",
    "push.lead": "{provider} hat Sie auf Ihrem Gerät, oder wie Sie es dort eingerichtet haben, gebeten, diese "
    "Anmeldung zu bestätigen.",
    "push.stop": "Bestätigen Sie nur, wenn Sie sie selbst begonnen haben, über {app}.",
    "push.waiting": "Danach geht diese Seite von selbst weiter.",
    "push.approved": "Ich habe bestätigt",
    "push.not_yet": "{provider} wartet noch auf Sie.",
    "checking.heading": "Wird bei {provider} geprüft",
    "checking.lead": "Das dauert einige Sekunden.",
    "checking.look": "Weiter",
    "exists.heading": "Ihr Konto bei {provider} ist schon verbunden",
    "exists.since": "{account} ist seit dem {date} verbunden.",
    "exists.means": "Ein Konto kann einmal verbunden sein. Darum wurde nichts geändert, und die neue Anmeldung wurde "
    "wieder beendet.",
    "exists.broken": "Diese Verbindung funktioniert zurzeit nicht: Sie muss erneuert werden, nicht neu gemacht. "
    "Bitten Sie {app} um einen Link dafür.",
    "exists.legend": "Was möchten Sie tun?",
    "exists.keep": "Die Verbindung lassen, wie sie ist",
    "exists.keep_hint": "{app} benutzt sie weiter.",
    "exists.other": "Mit einem anderen Konto anmelden",
    "exists.cancel": "Hier aufhören",
    "exists.choose": "Wählen Sie, was Sie tun möchten",
    "mismatch.signed_in": "Sie haben sich als {username} angemeldet.",
    "mismatch.for": "Diese Verbindung ist für {account}.",
    "mismatch.anew": "Eine neue Verbindung mit dem anderen Konto machen",
    "mismatch.anew_hint": "Sie melden sich noch einmal an. Die Verbindung für {account} bleibt, wie sie ist.",
}  # fmt: skip

_OUTCOMES: Final = {
    "validation_failed.title": "Es wurde nichts gesendet.",
    "provider_credentials_rejected.title": "{provider} hat Benutzernamen und Passwort nicht angenommen.",
    "provider_credentials_rejected.next": "Prüfen Sie beides und geben Sie Ihr Passwort noch einmal ein.",
    "provider_otp_invalid.title": "{provider} hat den Code nicht angenommen.",
    "provider_otp_invalid.next": "Geben Sie Ihr Passwort und einen neuen Code ein.",
    "password_or_code.title": "{provider} hat das Passwort oder den Code nicht angenommen.",
    "password_or_code.next": "Prüfen Sie beides und melden Sie sich noch einmal an. Dies zählt nicht als "
    "Fehlversuch.",
    "challenge_expired.title": "Die Zeit für den zweiten Schritt ist um. Es wurde nichts verbunden.",
    "challenge_expired.next": "Melden Sie sich noch einmal an: {provider} fragt dann neu.",
    "challenge_used.title": "Der zweite Schritt wurde schon beantwortet.",
    "challenge_used.next": "Melden Sie sich noch einmal an.",
    "challenge_lost.title": "Die laufende Anmeldung ist verloren gegangen. Es wurde nichts verbunden.",
    "challenge_lost.next": "Melden Sie sich noch einmal an. Ihr Passwort wurde nicht aufbewahrt, darum müssen Sie es "
    "noch einmal eingeben.",
    "provider_mfa_unsupported.title": "{provider} verlangt einen zweiten Schritt, den diese Verbindung nicht kann.",
    "provider_mfa_unsupported.next": "Wenn es bei {provider} App-Passwörter gibt, nehmen Sie eines anstelle Ihres "
    "Passworts. Sonst informieren Sie {app}, dass Ihr Konto einen zweiten Schritt hat.",
    "provider_account_locked.title": "{provider} hat die Anmeldung für dieses Konto vorerst gesperrt.",
    "provider_account_locked.next": "Warten Sie, oder entsperren Sie das Konto bei {provider}. Versuchen Sie es dann "
    "noch einmal.",
    "provider_password_expired.title": "{provider} will, dass Sie zuerst Ihr Passwort ändern.",
    "provider_password_expired.next": "Ändern Sie es bei {provider}, und melden Sie sich dann hier mit dem neuen an.",
    "provider_interaction_required.title": "{provider} will, dass Sie sich zuerst auf der eigenen Seite anmelden.",
    "provider_interaction_required.next": "Melden Sie sich dort einmal an, beantworten Sie, was gefragt wird, und "
    "versuchen Sie es dann hier noch einmal.",
    "provider_access_denied.title": "{provider} hat Sie angenommen, aber dieses Konto darf die API nicht benutzen.",
    "provider_access_denied.next": "Bitten Sie, wer {provider} verwaltet, um Zugriff auf die API.",
    "connection_test_failed.title": "Sie sind angemeldet, aber die Prüfung bei {api_host} ist misslungen. Es wurde "
    "nichts aufbewahrt.",
    "connection_test_failed.next": "Versuchen Sie es noch einmal. Wenn es wieder misslingt, informieren Sie {app}.",
    "unique_id_missing.title": "{provider} hat nicht gesagt, welches Konto dies ist. Es wurde nichts aufbewahrt.",
    "unique_id_missing.next": "Sie können das nicht beheben. Informieren Sie {app}.",
    "identity_mismatch.title": "Sie haben sich mit einem anderen Konto angemeldet als dem, für das diese Verbindung "
    "ist.",
    "identity_mismatch.next": "Melden Sie sich mit dem richtigen Konto an. Es wurde nichts geändert.",
    "connection_exists.title": "Dieses Konto ist schon verbunden. Es wurde nichts geändert.",
    "connection_exists.next": "Öffnen Sie {app} und benutzen Sie die Verbindung dort, oder trennen Sie sie zuerst.",
    "session_limit_reached.title": "{provider} erlaubt diesem Konto keine weitere Sitzung: Andere Verbindungen haben "
    "schon alle. Ihr Passwort wurde nicht gesendet.",
    "session_limit_reached.next": "Benutzen Sie eine Verbindung, die es schon gibt, oder trennen Sie eine; versuchen "
    "Sie es dann noch einmal.",
    "provider_rate_limited.title": "{provider} bittet uns zu warten.",
    "provider_rate_limited.next": "Versuchen Sie es nach der Wartezeit noch einmal.",
    "login_budget_spent.title": "Die Anmeldung für dieses Konto ist zuletzt zu oft misslungen. Ihr Passwort wurde "
    "nicht gesendet.",
    "login_budget_spent.next": "Ein weiterer Fehlversuch könnte das Konto sperren. Versuchen Sie es nach der "
    "Wartezeit noch einmal.",
    "logins_held.title": "Hier wurden zuletzt zu viele Anmeldungen abgelehnt. Ihr Passwort wurde nicht gesendet.",
    "logins_held.next": "Vielleicht probiert jemand Passwörter durch, deshalb ruht die Anmeldung. Versuchen Sie es "
    "nach der Wartezeit noch einmal.",
    "logins_stopped.title": "Die Anmeldung ist zurzeit abgeschaltet. Es wurde nichts gesendet.",
    "logins_stopped.next": "Das haben die Betreiber dieser Seite so eingestellt. Versuchen Sie es später noch "
    "einmal, oder fragen Sie bei {app} nach.",
    "address_limited.title": "Zu viele Anmeldungen aus Ihrem Netz in letzter Zeit. Es wurde nichts gesendet.",
    "address_limited.next": "Versuchen Sie es nach der Wartezeit noch einmal.",
    "rate_limited.title": "Zu viele Versuche auf dieser Seite.",
    "rate_limited.next": "Bitten Sie {app} um einen neuen Link.",
    "provider_unreachable.title": "Wir konnten {host} nicht erreichen. Ihr Passwort wurde nicht gesendet.",
    "provider_unreachable.next": "Versuchen Sie es gleich noch einmal.",
    "provider_tls_failed.title": "Wir konnten {host} nicht sicher erreichen. Ihr Passwort wurde nicht gesendet.",
    "provider_tls_failed.next": "Versuchen Sie es gleich noch einmal. Wenn es so bleibt, informieren Sie {app}.",
    "provider_timeout.title": "{provider} hat nicht rechtzeitig geantwortet. Ihr Passwort wurde gesendet; das "
    "Ergebnis kennen wir nicht.",
    "provider_timeout.next": "Versuchen Sie es ein Mal noch.",
    "provider_unavailable.title": "{provider} kann nach eigener Auskunft jetzt nicht antworten. Es wurde nichts "
    "aufbewahrt.",
    "provider_unavailable.next": "Versuchen Sie es später noch einmal.",
    "provider_bad_response.title": "{provider} hat eine Antwort gegeben, die wir nicht verstehen. Es wurde nichts "
    "aufbewahrt.",
    "provider_bad_response.next": "Versuchen Sie es später noch einmal. Wenn es so bleibt, informieren Sie {app} und "
    "nennen Sie die Kennung der Anfrage.",
    "set_up.title": "Diese Verbindung ist falsch eingerichtet. Es liegt nicht an Ihnen.",
    "set_up.next": "Informieren Sie {app} und nennen Sie die Kennung der Anfrage. Hier können Sie nichts tun.",
    "address_not_allowed.title": "Die Adresse {host} darf von hier nicht erreicht werden. Ihr Passwort wurde nicht "
    "gesendet.",
    "address_not_allowed.next": "Prüfen Sie die Adresse. Wenn sie stimmt, informieren Sie {app}.",
    "connection_gone.title": "Die Verbindung, für die dieser Link ist, gibt es nicht mehr.",
    "connection_gone.next": "Verbinden Sie das Konto neu, über {app}.",
    "generation_conflict.title": "Jemand anderes hat diese Verbindung im selben Augenblick geändert.",
    "generation_conflict.next": "Versuchen Sie es noch einmal.",
    "our_fault.title": "Bei uns ist etwas schiefgegangen. Es liegt nicht an Ihnen.",
    "our_fault.next": "Versuchen Sie es später noch einmal. Wenn es so bleibt, informieren Sie {app} und nennen Sie "
    "die Kennung der Anfrage.",
    "session_expired.title": "Diese Seite war zu lange offen",
    "session_expired.next": "Es ist nichts verloren. Bitten Sie {app} um einen neuen Link.",
    "session_used.title": "Dieser Link wurde schon benutzt",
    "session_used.next": "Er gilt einmal. Bitten Sie {app} um einen neuen Link.",
    "not_found.title": "Für diesen Browser gibt es hier nichts",
    "not_found.next": "Ein Link gilt in dem Browser, der ihn zuerst geöffnet hat. Lassen Sie sich einen neuen geben, "
    "wo Sie diesen bekommen haben.",
    "method_not_allowed.title": "So lässt sich diese Seite nicht benutzen",
    "method_not_allowed.next": "Öffnen Sie den Link noch einmal.",
    "bad_request.title": "Dieses Formular ist nicht lesbar",
    "bad_request.next": "Gehen Sie zurück, laden Sie die Seite neu und versuchen Sie es noch einmal.",
    "request_timeout.title": "Ihr Formular ist nicht rechtzeitig angekommen",
    "request_timeout.next": "Prüfen Sie Ihre Verbindung, gehen Sie zurück und senden Sie es noch einmal.",
    "payload_too_large.title": "Dieses Formular ist zu groß",
    "payload_too_large.next": "Gehen Sie zurück und geben Sie weniger ein.",
    "unsupported_media_type.title": "Dieses Formular kam auf eine Weise, die hier nicht gelesen wird",
    "unsupported_media_type.next": "Gehen Sie zurück, laden Sie die Seite neu und versuchen Sie es noch einmal.",
    "foreign_form.title": "Dieses Formular kam nicht von dieser Seite",
    "foreign_form.next": "Es wurde nichts getan. Öffnen Sie den Link, den Sie über {app} bekommen haben, und geben "
    "Sie auf anderen Seiten nichts ein.",
    "wait": "Warten Sie {duration}.",
    "tries.none": "Vorerst bleibt kein Versuch: Ein weiterer könnte das Konto sperren. Warten Sie, bevor Sie es noch "
    "einmal versuchen.",
    "tries.one": "Ein Versuch bleibt noch, bevor das Konto gesperrt werden könnte.",
    "tries.other": "{count} Versuche bleiben noch, bevor das Konto gesperrt werden könnte.",
    "link.reset_password": "Bei {provider} ein neues Passwort setzen",
    "link.unlock": "Das Konto bei {provider} entsperren",
    "link.app_password": "Bei {provider} ein App-Passwort machen",
    "setup_note": "Für alle, die {provider} verwalten: {note}",
}  # fmt: skip

_VALUES: Final = {
    "field.required": "Füllen Sie „{label}“ aus",
    "field.choose": "Wählen Sie „{label}“",
    "rule.field_required": "Dies wird gebraucht.",
    "rule.host_needs_it": "Ohne dies lässt sich die Adresse von {provider} nicht bilden.",
    "rule.username_required": "Geben Sie Ihren Benutzernamen ein.",
    "rule.username_characters": "Ein Benutzername hat keine Steuerzeichen und höchstens 4096 Zeichen.",
    "rule.password_required": "Geben Sie Ihr Passwort ein.",
    "rule.password_too_long": "Ein Passwort hat höchstens 4096 Zeichen.",
    "rule.not_boolean": "Dies ist entweder ja oder nein.",
    "rule.not_number": "Dies ist keine Zahl.",
    "rule.not_text": "Dies ist kein Text.",
    "rule.characters": "Dies hat höchstens 4096 Zeichen und keine Steuerzeichen.",
    "rule.not_listed": "Wählen Sie etwas aus der Liste.",
    "rule.not_email": "Dies ist keine E-Mail-Adresse.",
    "rule.not_url": "Dies ist keine Web-Adresse, etwa https://example.com.",
    "rule.not_host": "Dies ist kein Rechnername, etwa api.example.com.",
    "rule.not_pattern": "Dies hat nicht die Form, die {provider} benutzt.",
    "rule.too_short": "Dies hat mindestens {limit} Zeichen.",
    "rule.too_long": "Dies hat höchstens {limit} Zeichen.",
    "rule.foreign_host": "Diese Adresse gehört nicht zu {provider}.",
    "rule.not_seed": "Dies ist kein Schlüssel für Codes. Er hat 16 oder mehr Buchstaben A bis Z und Ziffern 2 bis 7.",
    "rule.not_shown": "Danach wird bei Ihrer sonstigen Auswahl nicht gefragt. Lassen Sie es leer.",
    "rule.other": "Dies kann hier nicht benutzt werden.",
    "duration.seconds.one": "1 Sekunde",
    "duration.seconds.other": "{count} Sekunden",
    "duration.minutes.one": "1 Minute",
    "duration.minutes.other": "{count} Minuten",
    "duration.hours.one": "1 Stunde",
    "duration.hours.other": "{count} Stunden",
}

_MY: Final = {
    "ago": "vor {duration}",
    "moment": "{date}, {time} UTC",
    "done.own_page": "Sie können sie auch selbst ansehen und trennen, auf einer eigenen Seite.",
    "done.open_own_page": "Diese Verbindung ansehen",
    "my.heading": "Ihre Verbindung mit {provider}",
    "my.account": "Konto",
    "my.state": "Zustand",
    "my.state_active": "Sie funktioniert: {app} kann sie benutzen.",
    "my.state_uncertain": "Sie wird gerade erneuert; was daraus wird, steht noch nicht fest.",
    "my.state_needs_reconnect": "Sie funktioniert nicht mehr. Bitten Sie {app} um einen Link, um sich noch einmal bei "
    "{provider} anzumelden.",
    "my.state_paused": "Sie ruht: Zurzeit kann nichts sie benutzen.",
    "my.state_unconfirmed": "Sie wartet auf eine Bestätigung durch {app}; vorher kann nichts sie benutzen.",
    "my.state_disconnecting": "Sie ist hier getrennt; {provider} wird noch unterrichtet.",
    "my.state_disconnected": "Sie ist getrennt.",
    "my.state_unreadable": "Sie kann nicht benutzt werden. Trennen Sie sie hier, oder bitten Sie {app} um einen Link, "
    "um sich noch einmal anzumelden.",
    "my.since": "Verbunden seit",
    "my.used": "Zuletzt benutzt",
    "my.never": "nie",
    "my.stored": "Was gespeichert ist",
    "my.password_since": "Ihr Passwort, verschlüsselt, seit dem {date}.",
    "my.reach": "Wo sie benutzt werden kann",
    "my.disconnect": "Trennen",
    "my.address": "Diese Seite hat eine eigene Adresse, die bis zum {date} gilt. Heben Sie sie auf, wenn Sie "
    "wiederkommen wollen, und behalten Sie sie für sich: Wer sie hat, kann diese Seite sehen und die Verbindung "
    "trennen.",
    "my.sure": "Die Verbindung mit {provider} trennen?",
    "my.will": "Was dann geschieht",
    "my.will_calls": "Von da an kann nichts mehr die Verbindung benutzen.",
    "my.will_delete": "Alles hier Gespeicherte wird sofort gelöscht.",
    "my.will_delete_but": "Alles hier Gespeicherte wird sofort gelöscht. Nur die Zugangsschlüssel bleiben, bis "
    "{provider} unterrichtet ist, höchstens 24 Stunden.",
    "my.will_tell": "{provider} wird bei {hosts} gesagt, dass der Zugriff endet.",
    "my.no_way_back": "Das lässt sich nicht rückgängig machen. Sie können das Konto später neu verbinden.",
    "my.keep": "Die Verbindung behalten",
    "my.stale": "Es ist nichts geschehen: Diese Seite war veraltet. Drücken Sie noch einmal auf den Knopf.",
    "my.ended_now": "Die Verbindung ist hier getrennt.",
    "my.happened": "Was geschehen ist",
    "my.calls_ended": "Getrennt: {at}. Nichts kann sie mehr benutzen.",
    "my.deleted": "Alles hier Gespeicherte ist gelöscht.",
    "my.deleted_but": "Alles hier Gespeicherte ist gelöscht, bis auf die Zugangsschlüssel: Sie bleiben, bis {provider} "
    "unterrichtet ist, höchstens bis {until}.",
    "my.told_done": "{provider} hat den Zugriff beendet.",
    "my.told_pending": "{provider} wurde gesagt, dass der Zugriff endet, hat es aber noch nicht bestätigt. Das wird "
    "von selbst wiederholt.",
    "my.told_given_up": "{provider} war nicht zu erreichen. Der Zugriff endet nach einer Weile von selbst; um "
    "sicherzugehen, beenden Sie ihn dort in Ihrem Konto oder ändern Sie Ihr Passwort.",
    "my.told_not_possible": "{provider} konnte nicht unterrichtet werden, weil der Zugangsschlüssel nichts mehr taugt. "
    "Was vom Zugriff übrig ist, endet nach einer Weile von selbst; um sicherzugehen, beenden Sie ihn dort in Ihrem "
    "Konto oder ändern Sie Ihr Passwort.",
    "my.told_not_supported": "{provider} kann nicht unterrichtet werden. Der Zugriff endet nach einer Weile von "
    "selbst; um sicherzugehen, beenden Sie ihn dort in Ihrem Konto oder ändern Sie Ihr Passwort.",
    "my.told_nothing": "Es gab keinen Zugriff mehr, den {provider} hätte beenden müssen.",
    "my.tell_again": "{provider} jetzt noch einmal unterrichten",
    "my.anew": "Um das Konto neu zu verbinden, bitten Sie {app} um einen Link.",
    "my_gone.title": "Unter dieser Adresse ist nichts",
    "my_gone.next": "Die Verbindung gibt es nicht mehr, oder die Adresse wurde zurückgenommen. Bitten Sie dort um eine "
    "andere, wo Sie diese bekommen haben.",
    "my_expired.title": "Diese Adresse ist zu alt",
    "my_expired.next": "An der Verbindung ändert das nichts. Bitten Sie dort um eine andere Adresse, wo Sie diese "
    "bekommen haben.",
}  # fmt: skip

GERMAN: Final[Mapping[str, str]] = MappingProxyType({**_PAGES, **_STEPS, **_OUTCOMES, **_VALUES, **_MY})
