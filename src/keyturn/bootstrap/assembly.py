"""The use cases put together over ports that are handed in: the same for production, tests and fakes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from keyturn.core.access.rates import Rate
from keyturn.core.audit.routine import fold_before
from keyturn.core.connection import State
from keyturn.core.events.health import WINDOW_S
from keyturn.core.secret import Secret
from keyturn.core.urls.public_suffixes import PublicSuffixes
from keyturn.engine.abuse.guards import DEFAULT_RATES, Guards, each_second, make_guards
from keyturn.engine.api_keys import ApiKeys
from keyturn.engine.application import Application
from keyturn.engine.audit.auditing import Auditing, AuditSettings, make_auditing
from keyturn.engine.builder.builder import Builder
from keyturn.engine.builder.drafts import Drafts
from keyturn.engine.builder.review import ReviewDraft
from keyturn.engine.builder.trials import Trials
from keyturn.engine.builder.unsaved import Unsaved
from keyturn.engine.calls.ask_api import AskApi
from keyturn.engine.calls.calls import Calls
from keyturn.engine.calls.hand_out import HandOut
from keyturn.engine.challenges.seed_codes import SeedCodes
from keyturn.engine.edit_connector import EditConnector
from keyturn.engine.in_flight import InFlight
from keyturn.engine.jobs.background import Background
from keyturn.engine.jobs.bulk.bulk_actions import BulkActions
from keyturn.engine.jobs.bulk.bulk_job import BulkJob
from keyturn.engine.jobs.bulk.bulk_jobs import BulkJobs
from keyturn.engine.jobs.job_kind import JobKind
from keyturn.engine.jobs.retention import DELIVERIES_FOR_S, SIGN_INS_FOR_S, Retention, daily, retention_kinds
from keyturn.engine.jobs.run_jobs import RunJobs
from keyturn.engine.jobs.schedule import Schedule
from keyturn.engine.keys.forget_seeds import ForgetSeeds
from keyturn.engine.keys.manage_keys import ManageKeys
from keyturn.engine.keys.rewrap import RewrapDataKeys
from keyturn.engine.login.answer_challenge import Challenges
from keyturn.engine.login.challenge_rows import ChallengeRows
from keyturn.engine.login.connect import Connect
from keyturn.engine.login.connect_sessions import ConnectSessions
from keyturn.engine.login.finish_session import FinishSession
from keyturn.engine.login.login_course import LoginCourse
from keyturn.engine.login.poll_challenges import PollChallenges
from keyturn.engine.login.revoke_session import RevokeSession
from keyturn.engine.login.room.make_room import MakeRoom
from keyturn.engine.login.store_login import StoreLogin
from keyturn.engine.login_budget import LoginBudget
from keyturn.engine.mail.mails import Mails
from keyturn.engine.mail.send_mail import SendMail
from keyturn.engine.migration.migrate_connection import MigrateConnection
from keyturn.engine.migration.plan_migration import PlanMigration
from keyturn.engine.observed_connections import ObservedConnections, ObservedRenewals
from keyturn.engine.observing.call_times import CallTimes
from keyturn.engine.operating.plan_anew import PlanAnew
from keyturn.engine.operating.set_quiet_hours import SetQuietHours
from keyturn.engine.other_processes import OtherProcesses
from keyturn.engine.overview.attention_bounds import ReadAttentionBounds
from keyturn.engine.overview.board import ReadBoard
from keyturn.engine.pause import Pause
from keyturn.engine.people.openid.exchange import ExchangeCode
from keyturn.engine.people.openid.provider import OpenIdProvider
from keyturn.engine.people.openid.recognise import RecognisePerson
from keyturn.engine.people.openid.relying import CALLBACK, LINKS_ALONE, SignInSettings
from keyturn.engine.people.openid.sign_in import OpenIdSignIn
from keyturn.engine.people.people import People
from keyturn.engine.person.person_links import PersonLinks
from keyturn.engine.provider_gate import ProviderGate
from keyturn.engine.published import PublishedConnectors
from keyturn.engine.quiet_hours.quiet_times import QuietTimes
from keyturn.engine.renewal.account_turns import AccountTurns
from keyturn.engine.renewal.answer_by_seed import AnswerBySeed
from keyturn.engine.renewal.apply_spilled import ApplySpilled
from keyturn.engine.renewal.attempt import RenewalAttempt
from keyturn.engine.renewal.end_session import EndSession
from keyturn.engine.renewal.keep import KeepTokens
from keyturn.engine.renewal.leasing import Leasing
from keyturn.engine.renewal.presence import Presence
from keyturn.engine.renewal.probe import ProbeHosts
from keyturn.engine.renewal.renew import Renewals
from keyturn.engine.renewal.renewal_room import RenewalRoom
from keyturn.engine.renewal.settlement import Settlement
from keyturn.engine.renewal.unstored import Unstored
from keyturn.engine.revocation.disconnect import Disconnect
from keyturn.engine.revocation.erase_owner import EraseOwner
from keyturn.engine.revocation.revoke import Revoke
from keyturn.engine.scheduler import OFFLINE_GRACE_S, Scheduler
from keyturn.engine.stopping import Stopping, UntilStopped
from keyturn.engine.test_connection import TestCalls, TestConnection
from keyturn.engine.webhooks.deliver import DELIVERIES_AT_ONCE, DeliverWebhook
from keyturn.engine.webhooks.endpoint_gate import EndpointGate
from keyturn.engine.webhooks.endpoints import Webhooks
from keyturn.engine.webhooks.follow import FollowEvents
from keyturn.engine.webhooks.watch import RECURRING, VerifyDaily, WatchEvents, WatchExpiry
from keyturn.ports.access.abuse import LoginStops, LoginWatch, RateCounts
from keyturn.ports.access.api_keys import ApiKeyStore
from keyturn.ports.access.idempotency import IdempotencyStore
from keyturn.ports.access.openid import IdTokens
from keyturn.ports.access.person_links import PersonLinkStore
from keyturn.ports.audit import AuditChain
from keyturn.ports.catalogue import Catalogue
from keyturn.ports.challenges import ChallengeStore
from keyturn.ports.client_assertions import ClientAssertions
from keyturn.ports.clock import Clock, Entropy
from keyturn.ports.egress import Egress, Upstream
from keyturn.ports.jobs import Jobs
from keyturn.ports.key_custody import KeyCustody
from keyturn.ports.lease import Lease
from keyturn.ports.mail import Mailer
from keyturn.ports.observing.call_times import CallTimesStore
from keyturn.ports.observing.tracing import NO_TRACING, Tracing
from keyturn.ports.operating.quiet_hours import QuietHoursStore
from keyturn.ports.overview import Overview
from keyturn.ports.people import PeopleStore
from keyturn.ports.renewals import Processes, RenewalStore
from keyturn.ports.store import (
    AuditLog,
    ConnectionFilter,
    ConnectionStore,
    ConnectorStore,
    LoginLedger,
    RevocationStore,
    SessionStore,
    Spill,
)
from keyturn.ports.webhooks.endpoints import WebhookStore
from keyturn.ports.webhooks.events import EventStore


@dataclass(frozen=True, slots=True)
class Ports:
    """What the engine needs from outside, one of each."""

    connections: ConnectionStore
    revocations: RevocationStore
    connectors: ConnectorStore
    renewals: RenewalStore
    processes: Processes
    logins: LoginLedger
    login_watch: LoginWatch
    login_stops: LoginStops
    rate_counts: RateCounts
    audit: AuditLog
    api_keys: ApiKeyStore
    sessions: SessionStore
    challenges: ChallengeStore
    idempotency: IdempotencyStore
    jobs: Jobs
    keys: KeyCustody
    people: PeopleStore
    person_links: PersonLinkStore
    overview: Overview
    call_times: CallTimesStore
    quiet_hours: QuietHoursStore
    webhooks: WebhookStore
    events: EventStore
    spill: Spill
    chain: AuditChain
    lease: Lease
    egress: Egress
    upstream: Upstream
    catalogue: Catalogue
    suffixes: PublicSuffixes
    clock: Clock
    entropy: Entropy
    audit_settings: AuditSettings = field(default_factory=AuditSettings)
    rates: tuple[Rate, ...] = DEFAULT_RATES
    mailer: Mailer | None = None  # None: nobody gets mail
    client_assertions: ClientAssertions | None = None
    tracing: Tracing = NO_TRACING
    id_tokens: IdTokens | None = None  # needed where an OpenID provider is set


def assemble(
    ports: Ports,
    *,
    known: InFlight,
    public_url: str,
    return_origins: frozenset[str] = frozenset(),
    admin_api_key: Secret | None = None,
    operator_name: str = "",
    offline_grace_s: float = OFFLINE_GRACE_S,
    plain_http: bool = False,
    sign_in: SignInSettings = LINKS_ALONE,
) -> Application:
    """Build the application; nothing runs yet. `plain_http`: the operator allows http to webhook endpoints."""
    clock, entropy, unstored, stopping = ports.clock, ports.entropy, Unstored(), Stopping()
    presence = Presence(ports.processes, clock)
    gate = ProviderGate(clock, stopping, living=lambda: presence.living, number=_active_of(ports))
    until_stopped = replace(ports, egress=UntilStopped(ports.egress, stopping))  # for what carries a login
    connections = ObservedConnections(ports.connections)
    renewing = ObservedRenewals(ports.renewals, connections.tell)
    published = PublishedConnectors(ports.connectors, ports.client_assertions)
    (guards, budget), (keep_tokens, quiet) = _guards(ports), _keeping(ports, connections, renewing, unstored, stopping)
    tests = TestCalls(ports.egress, ports.suffixes)
    revoke = Revoke(connections, ports.revocations, published, until_stopped.egress, gate, clock, entropy, known, quiet,
                    stopping)  # fmt: skip
    room, make_room = _few_sessions(ports, published, keep_tokens, budget, revoke)
    disconnect = Disconnect(connections, published, revoke, clock, entropy)
    renewals = _renewals(until_stopped, connections, published, room, budget, gate, known, stopping)
    calls = Calls(connections, published, renewals, tests, ports.suffixes, clock, unstored)
    connections.listen(calls.written)
    store_login = StoreLogin(connections, ports.revocations, published, tests, keep_tokens)
    connect, challenges = _logins(until_stopped, published, store_login, make_room, budget, guards, gate, known)
    sessions = ConnectSessions(ports.sessions, connections, published, connect, challenges, keep_tokens, clock,
                               entropy, public_url, return_origins)  # fmt: skip
    api_keys, call_times = ApiKeys(ports.api_keys, clock, entropy, admin_api_key), CallTimes(ports.call_times, clock)
    pause, ways = Pause(connections, published, keep_tokens, clock), ReadAttentionBounds(connections, published, clock)
    testing = TestConnection(connections, published, renewals, tests, clock, known)
    migrate = MigrateConnection(connections, published, renewals, tests, keep_tokens, known)
    bulk = BulkActions(testing, renewals, pause, disconnect, sessions, migrate, quiet, clock)
    auditing = make_auditing(ports.chain, ports.audit, connections, ports.lease, clock, ports.audit_settings)
    webhooks, deliveries = _webhooks(ports, connections, known, public_url, plain_http)
    watching = _watching(ports, connections, published, auditing, keep_tokens)
    background = _background(ports, connections, bulk, ways, challenges, deliveries, watching, call_times)
    scheduler = Scheduler(
        connections, published, renewals, ApplySpilled(connections, published, ports.spill, keep_tokens), revoke, calls,
        gate, quiet, clock, entropy, offline_grace_s=offline_grace_s, when_grace_ends=_fail_closed(calls, api_keys),
        others=OtherProcesses(ports.audit, connections, calls, api_keys, gate, ports.keys, published),
        background=background, challenges_due=challenges.poll_due,
        probes=ProbeHosts(gate, connections, published, until_stopped.egress, entropy, known, stopping).due,
        counts=each_second(api_keys.flush_uses, guards.rate_limits.exchange, call_times.look))  # fmt: skip
    people, openid = _sign_in(ports, sign_in, public_url, known)
    return Application(
        connect=connect, challenges=challenges, connect_sessions=sessions, renewals=renewals, test_connection=testing,
        disconnect=disconnect, erase_owner=EraseOwner(connections, disconnect, ports.chain, clock), pause=pause,
        calls=calls, hand_out=HandOut(calls, ports.audit, clock), overview=ports.overview, jobs=ports.jobs,
        ask_api=AskApi(calls, connections, published, ports.suffixes, ports.upstream, ports.audit, clock, known),
        revoke_session=RevokeSession(ports.sessions, clock), edit_connector=_edit_connector(ports, gate, published),
        quiet_hours=SetQuietHours(ports.quiet_hours, ports.connectors, ports.jobs, quiet, clock, entropy),
        board=_board(ports, gate, ways, call_times), call_times=call_times,
        builder=_builder(until_stopped, connections, published, guards, gate, known, room.turns),
        upstream=ports.upstream,
        api_keys=api_keys, guards=guards, people=people, openid=openid, scheduler=scheduler, attention_bounds=ways,
        run_jobs=background.run_jobs, run_deliveries=deliveries, webhooks=webhooks, auditing=auditing,
        keys=ManageKeys(ports.keys, ForgetSeeds(connections, published), ports.jobs, clock, entropy),
        bulk_jobs=BulkJobs(ports.jobs, clock, entropy), plan_migration=PlanMigration(connections, published),
        published=published, gate=gate, connections=connections, connectors=ports.connectors, sessions=ports.sessions,
        audit=ports.audit, idempotency=ports.idempotency, clock=clock, entropy=entropy, operator_name=operator_name,
        public_url=public_url, stopping=stopping, presence=presence,
        person_links=_person_links(ports, connections, disconnect, public_url))  # fmt: skip


def _active_of(ports: Ports) -> Callable[[str], Awaitable[int]]:
    """How many connections of a connector are active: of fewer than three, all are evidence enough."""

    async def number(connector: str) -> int:
        return await ports.connections.count(ConnectionFilter(connector=connector, state=State.ACTIVE.value))

    return number


def _board(ports: Ports, gate: ProviderGate, ways: ReadAttentionBounds, call_times: CallTimes) -> ReadBoard:
    return ReadBoard(
        ports.overview, gate, ports.jobs, ports.chain, ports.keys, ports.connectors, ways, ports.clock, call_times
    )


def _person_links(ports: Ports, connections: ConnectionStore, disconnect: Disconnect, public_url: str) -> PersonLinks:
    return PersonLinks(ports.person_links, connections, disconnect, ports.clock, ports.entropy, public_url)


def _edit_connector(ports: Ports, gate: ProviderGate, published: PublishedConnectors) -> EditConnector:
    return EditConnector(
        ports.connectors, ports.catalogue, ports.suffixes, gate, ports.clock, ports.client_assertions, published
    )


def _keeping(
    ports: Ports, connections: ObservedConnections, renewing: RenewalStore, unstored: Unstored, stopping: Stopping
) -> tuple[KeepTokens, QuietTimes]:
    """Who writes new token sets, and says when the next is due; and what is quiet then."""
    quiet = QuietTimes(ports.quiet_hours, ports.clock, ports.entropy)
    keep_tokens = KeepTokens(
        connections, renewing, ports.revocations, ports.spill, unstored, ports.clock, ports.entropy, quiet, stopping
    )
    return keep_tokens, quiet


def _sign_in(
    ports: Ports, settings: SignInSettings, public_url: str, known: InFlight
) -> tuple[People, OpenIdSignIn | None]:
    """People and their links, and the sign-in through an OpenID provider where one is set."""
    clock, entropy, relying = ports.clock, ports.entropy, settings.relying
    people = People(ports.people, clock, entropy, public_url, links=settings.links)
    if relying is None:
        return people, None
    if ports.id_tokens is None:
        raise ValueError("an OpenID provider without anything that checks ID tokens")
    provider = OpenIdProvider(relying.issuer, ports.egress, clock)
    exchange = ExchangeCode(relying, provider, ports.id_tokens, clock, known, public_url + CALLBACK)
    recognise = RecognisePerson(relying, ports.people, clock, entropy)
    return people, OpenIdSignIn(relying, exchange, recognise, people, ports.audit, clock, entropy)


def _guards(ports: Ports) -> tuple[Guards, LoginBudget]:
    """What holds abuse back, and the budget of logins."""
    guards = make_guards(
        ports.login_watch, ports.login_stops, ports.rate_counts, ports.rates, ports.logins, ports.audit,
        ports.connectors, ports.clock)  # fmt: skip
    return guards, LoginBudget(ports.logins, ports.clock, guards.stop_logins)


def _fail_closed(calls: Calls, api_keys: ApiKeys) -> Callable[[], None]:
    def forget() -> None:
        calls.forget_all()
        api_keys.forget_all()

    return forget


def _few_sessions(
    ports: Ports, published: PublishedConnectors, keep_tokens: KeepTokens, budget: LoginBudget, revoke: Revoke
) -> tuple[RenewalRoom, MakeRoom]:
    """Logins at providers that allow few sessions: those of renewals, and those of people."""
    clock, entropy, connections = ports.clock, ports.entropy, keep_tokens.connections
    settlement = Settlement(keep_tokens.renewals, ports.spill, keep_tokens, keep_tokens.unstored, clock, entropy)
    turns, ending = (
        AccountTurns(connections, budget, Leasing(ports.lease, clock), clock),
        EndSession(revoke, settlement),
    )
    return RenewalRoom(turns, ending, settlement), MakeRoom(connections, published, turns, ending, clock, entropy)


def _renewals(
    ports: Ports,
    connections: ConnectionStore,
    published: PublishedConnectors,
    room: RenewalRoom,
    budget: LoginBudget,
    gate: ProviderGate,
    known: InFlight,
    stopping: Stopping,
) -> Renewals:
    """What renews, with a kept TOTP seed where there is one."""
    clock, entropy, egress, settlement = ports.clock, ports.entropy, ports.egress, room.settlement
    by_seed = AnswerBySeed(egress, settlement, SeedCodes(connections, clock), known)
    attempt = RenewalAttempt(
        settlement.renewals, ports.processes, published, egress, budget, gate, settlement, stopping, clock, entropy,
        known, by_seed, settlement.keep_tokens.quiet, room)  # fmt: skip
    return Renewals(settlement.renewals, attempt, settlement.unstored, clock, ports.tracing)


def _builder(
    ports: Ports,
    connections: ConnectionStore,
    published: PublishedConnectors,
    guards: Guards,
    gate: ProviderGate,
    known: InFlight,
    turns: AccountTurns,
) -> Builder:
    """What writes connectors in the console, over the parts that connections use."""
    edit = _edit_connector(ports, gate, published)
    codes = SeedCodes(connections, ports.clock)
    trials = Trials(
        published, ports.egress, ports.suffixes, turns.budget, guards.spraying, gate, ports.audit, codes, ports.clock,
        ports.entropy, known, turns)  # fmt: skip
    return Builder(
        Drafts(edit, ports.connectors, ports.catalogue),
        trials,
        ReviewDraft(edit, ports.connectors, connections, trials),
        Unsaved(ports.clock),
        ports.suffixes,
    )


def _logins(
    ports: Ports,
    published: PublishedConnectors,
    store_login: StoreLogin,
    make_room: MakeRoom,
    budget: LoginBudget,
    guards: Guards,
    gate: ProviderGate,
    known: InFlight,
) -> tuple[Connect, Challenges]:
    """Logins, those that wait for an answer, and what ends by itself of them."""
    clock, entropy, codes = ports.clock, ports.entropy, SeedCodes(store_login.connections, ports.clock)
    course = LoginCourse(
        ports.challenges, ports.egress, budget, gate, ports.audit, store_login, codes, make_room, clock, entropy, known
    )
    rows = ChallengeRows(ports.challenges, published, clock, entropy)
    finish_session = FinishSession(ports.sessions, clock)
    polling = PollChallenges(rows, course, finish_session)
    connect = Connect(published, ports.egress, budget, guards.spraying, ports.audit, gate, course, clock, known)
    return connect, Challenges(rows, course, polling, finish_session)


def _webhooks(
    ports: Ports, connections: ConnectionStore, known: InFlight, public_url: str, plain_http: bool
) -> tuple[Webhooks, RunJobs]:
    """The endpoints, and who delivers to them and sends mail: a worker of their own."""
    clock, entropy = ports.clock, ports.entropy
    deliver = DeliverWebhook(ports.webhooks, ports.events, ports.egress, EndpointGate(clock), clock, known)
    mail = SendMail(ports.mailer, ports.events, ports.webhooks, connections, public_url)
    worker = RunJobs(ports.jobs, [deliver, mail], clock, entropy, at_once=DELIVERIES_AT_ONCE, tracing=ports.tracing)
    return Webhooks(ports.webhooks, ports.events, deliver, clock, entropy, plain_http), worker


def _watching(
    ports: Ports,
    connections: ConnectionStore,
    published: PublishedConnectors,
    auditing: Auditing,
    keep_tokens: KeepTokens,
) -> list[JobKind]:
    """What looks for events that no write stands for; and what moves renewals that are planned."""
    return [
        PlanAnew(connections, published, keep_tokens, keep_tokens.quiet),
        WatchExpiry(connections, published, ports.events, ports.clock),
        WatchEvents(ports.events, ports.clock),
        VerifyDaily(auditing.verify, ports.events, ports.clock),
    ]


def _background(
    ports: Ports,
    connections: ConnectionStore,
    bulk: BulkActions,
    bounds: ReadAttentionBounds,
    challenges: Challenges,
    deliveries: RunJobs,
    watching: Sequence[JobKind],
    call_times: CallTimes,
) -> Background:
    """The jobs, and what recurs of them."""
    retention = retention_kinds(
        connections=connections,
        sessions=ports.sessions,
        idempotency=ports.idempotency,
        logins=ports.logins,
        jobs=ports.jobs,
        clock=ports.clock,
    )
    retention.append(Retention("challenge.purge", lambda _: challenges.purge(), ports.clock))
    retention.append(Retention("call.purge", lambda _: call_times.purge(), ports.clock))
    retention.append(Retention("link.purge", lambda now: ports.person_links.purge(expired_before=now), ports.clock))
    retention.append(Retention("sign_in.purge", lambda now: ports.people.purge(now=now - SIGN_INS_FOR_S), ports.clock))
    retention.append(Retention("login_watch.purge", lambda now: ports.login_watch.purge(now=now), ports.clock))
    retention += [
        Retention(
            "webhook.purge",
            lambda now: ports.webhooks.purge(created_before=now - DELIVERIES_FOR_S),
            ports.clock,
        ),
        Retention(
            "event.purge",
            lambda now: ports.events.purge(before=now - DELIVERIES_FOR_S, tallies_before=now - 2 * WINDOW_S),
            ports.clock,
        ),
    ]
    retention.append(
        Retention("audit.fold", lambda now: ports.chain.fold(before=fold_before(now), at=now), ports.clock)
    )
    kept_s = ports.audit_settings.retention_s
    if kept_s is not None:
        retention.append(Retention("audit.cut", lambda now: ports.chain.cut(before=now - kept_s, at=now), ports.clock))
    kinds: list[JobKind] = [
        *retention,
        BulkJob(connections, bulk, bounds, ports.clock),
        RewrapDataKeys(ports.keys, ports.clock),
        *watching,
    ]
    follow = FollowEvents(
        ports.audit, ports.events, ports.webhooks, connections, Mails(ports.mailer is not None), ports.clock,
        ports.entropy,
    )  # fmt: skip
    return Background(
        RunJobs(ports.jobs, kinds, ports.clock, ports.entropy, tracing=ports.tracing),
        Schedule(ports.jobs, [*daily(retention), *RECURRING], ports.clock),
        deliveries,
        follow.look,
    )
