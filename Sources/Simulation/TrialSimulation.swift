import Base
import Events
import Statistics

/// A randomised ad trial with known effects, as a stream of events.
///
/// The process that makes the data:
///
/// 1. People visit at random (a Poisson process; who comes is proportional to ``TrialUser/engagement``). A visit is a
///    chain of page views, some with a click.
/// 2. A visit at least ``TrialSettings/outcomeWindow`` after a person's last opportunity is a new opportunity: a
///    `treatment` event assigns the ad with probability ``TrialSettings/propensity``, whatever the person is like.
/// 3. With the ad, one to eight `ad_view`s follow, some with a click. Without, nothing follows.
/// 4. Each opportunity draws a principal stratum from ``TrialUser/strata``, which says whether it ends in a purchase
///    with the ad and without; the assignment decides which of the two happens. The purchase comes within the outcome
///    window, after a page view and an `add_to_cart`; few are refunded. There are no other purchases.
///
/// So for an opportunity of a person with traits x: P(purchase | ad) − P(purchase | no ad) = ``Strata/effect`` exactly,
/// assignment is independent of both potential outcomes, and opportunities of a person do not overlap.
///
/// Events come in the order of event time, except for those that ``TrialSettings/outOfOrder`` delays. Faults (delays,
/// duplicates, invalid messages) draw from a stream of their own: they change the order and add messages, the trial
/// itself stays the same.
///
/// Single-threaded. Nothing is allocated for an event once buffer and queue have their size.
package struct TrialSimulation: ~Copyable {
    package let settings: TrialSettings
    /// Valid events made so far, duplicates not counted.
    package private(set) var distinctEvents: UInt64 = 0

    private var random: RandomStream
    private var faults: RandomStream
    private let pending = PendingEvents()
    private let opportunities: LastOpportunities
    private let visitSpacing: Double
    private var nextVisit: Double
    private var orders: UInt64 = 0
    private var invalidMessages: UInt64 = 0
    private let writer: TrialEventWriter

    /// - Throws: `.usage` when a setting is out of its range.
    package init(_ settings: TrialSettings = TrialSettings()) throws(ImpactError) {
        try settings.check()
        self.settings = settings
        // Lanes above 2^32 are not those of users.
        random = RandomStream(seed: settings.seed, lane: 1 << 40)
        faults = RandomStream(seed: settings.seed, lane: 1 << 41)
        opportunities = LastOpportunities(settings)
        visitSpacing = 86_400_000 / (Double(settings.users) * settings.visitsPerDay)
        nextVisit = Double(settings.start)
        writer = TrialEventWriter(settings: settings)
        nextVisit += random.exponential(mean: visitSpacing)
    }

    /// Writes the next message to the end of the buffer. The stream has no end.
    package mutating func next(into buffer: ByteBuffer) -> GeneratedEvent {
        if settings.invalid > 0, faults.happens(settings.invalid) {
            invalidMessages += 1
            return writer.writeInvalid(number: invalidMessages, time: Int64(nextVisit), into: buffer)
        }
        let event = nextEvent()
        return writer.write(event, into: buffer)
    }

    /// The next valid event, duplicates among them.
    private mutating func nextEvent() -> PendingEvent {
        while true {
            guard Double(pending.nextDue) <= nextVisit, var event = pending.pop() else {
                visit()
                continue
            }
            if event.isReady { return event }
            distinctEvents += 1
            event.id = distinctEvents
            event.isReady = true
            follow(event)
            if settings.duplicates > 0, faults.happens(settings.duplicates) {
                var copy = event
                copy.isDuplicate = true
                delay(copy)
            }
            if settings.outOfOrder > 0, faults.happens(settings.outOfOrder) {
                delay(event)
                continue
            }
            return event
        }
    }

    /// Puts a finished event back, to be written later.
    private mutating func delay(_ event: PendingEvent) {
        var event = event
        event.due = event.time + 1 + Int64(faults.below(Int(settings.greatestDelay)))
        push(event)
    }

    private mutating func push(_ event: PendingEvent) {
        var event = event
        orders += 1
        event.order = orders
        pending.push(event)
    }

    /// Makes an event of the same person, `milliseconds` after another.
    private mutating func schedule(
        _ kind: EventKind, after cause: PendingEvent, milliseconds: Double, remaining: Int = 0,
        change: (inout PendingEvent) -> Void = { _ in }
    ) {
        var event = cause
        event.kind = kind
        event.time = cause.time + Int64(milliseconds)
        event.due = event.time
        event.id = 0
        event.isReady = false
        event.remaining = UInt8(remaining)
        change(&event)
        push(event)
    }
}

// MARK: - The process

extension TrialSimulation {
    /// Somebody comes: a first page view, and an opportunity when the last one is over.
    private mutating func visit() {
        let time = Int64(nextVisit)
        nextVisit += random.exponential(mean: visitSpacing)
        var user = 0
        // Rejection sampling: nobody is more engaged than mostEngaged.
        repeat {
            user = random.below(settings.users)
        } while random.uniform() * TrialUser.mostEngaged > TrialUser.engagement(seed: settings.seed, index: user)
        let first = PendingEvent(
            due: time, order: 0, time: time, user: UInt32(user), kind: .pageView,
            remaining: UInt8(random.geometric(continue: 0.35, limit: 12)))
        push(first)
        if opportunities.take(user, at: time - settings.start) {
            let arm: UInt8 = random.happens(settings.propensity) ? 1 : 0
            let ends = outcome(of: user, arm: arm)
            schedule(.treatment, after: first, milliseconds: 200 + 1300 * random.uniform()) {
                $0.arm = arm
                $0.outcome = ends ? 1 : 0
            }
        }
    }

    /// Whether an opportunity ends in a purchase, under the arm it was given.
    private mutating func outcome(of user: Int, arm: UInt8) -> Bool {
        let strata = TrialUser(seed: settings.seed, index: user).strata
        let draw = random.uniform()
        if draw < strata.always { return true }
        if draw < strata.always + strata.persuaded { return arm == 1 }
        if draw < strata.always + strata.persuaded + strata.disturbed { return arm == 0 }
        return false
    }

    /// What an event leads to.
    private mutating func follow(_ event: PendingEvent) {
        switch event.kind {
        case .pageView: followPageView(event)
        case .treatment: followTreatment(event)
        case .adView: followAdView(event)
        case .addToCart where event.outcome == 1:
            schedule(.purchase, after: event, milliseconds: 20_000 + 100_000 * random.uniform())
        case .purchase:
            if random.happens(0.04) {
                schedule(.refund, after: event, milliseconds: 86_400_000 * (1 + 6 * random.uniform()))
            }
        case .click, .addToCart, .refund: break
        }
    }

    private mutating func followPageView(_ event: PendingEvent) {
        if event.remaining > 0 {
            schedule(
                .pageView, after: event, milliseconds: 3000 + random.exponential(mean: 30_000),
                remaining: Int(event.remaining) - 1)
        }
        if random.happens(0.12) {
            schedule(.click, after: event, milliseconds: 1000 + 15_000 * random.uniform())
        }
        // A cart that is left standing.
        if random.happens(0.02) {
            let cents = amount(of: event.user)
            schedule(.addToCart, after: event, milliseconds: 5000 + 30_000 * random.uniform()) { $0.cents = cents }
        }
    }

    private mutating func followTreatment(_ event: PendingEvent) {
        if event.arm == 1 {
            let campaign = UInt16(1 + random.below(settings.campaigns))
            schedule(
                .adView, after: event, milliseconds: 1000 + 4000 * random.uniform(),
                remaining: random.geometric(continue: 0.7, limit: 7)
            ) {
                $0.campaign = campaign
                $0.outcome = 0
            }
        }
        if event.outcome == 1 {
            let window = Double(settings.outcomeWindow)
            let delay = 60_000 + random.exponential(mean: window / 12, below: 0.9 * window)
            let cents = amount(of: event.user)
            schedule(.pageView, after: event, milliseconds: delay - 30_000) { $0.outcome = 0 }
            schedule(.addToCart, after: event, milliseconds: delay) { $0.cents = cents }
        }
    }

    private mutating func followAdView(_ event: PendingEvent) {
        if event.remaining > 0 {
            schedule(
                .adView, after: event,
                milliseconds: 60_000 + random.exponential(mean: Double(settings.outcomeWindow) / 36),
                remaining: Int(event.remaining) - 1)
        }
        let persuaded = TrialUser(seed: settings.seed, index: Int(event.user)).strata.persuaded
        if random.happens(0.03 + 1.2 * persuaded) {
            schedule(.click, after: event, milliseconds: 2000 + 28_000 * random.uniform())
        }
    }

    /// What a purchase costs: log-normal, more for those who spent more before.
    private mutating func amount(of user: UInt32) -> Int32 {
        let history = Double(TrialUser(seed: settings.seed, index: Int(user)).historyCents)
        return Int32((history.squareRoot() * 40 * random.logNormal(sigma: 0.4)).rounded())
    }
}

/// When each person had the last opportunity: seconds since the trial's start plus one, 0 for never.
private final class LastOpportunities {
    private let seconds: UnsafeMutablePointer<UInt32>
    private let settings: TrialSettings

    init(_ settings: TrialSettings) {
        self.settings = settings
        seconds = .allocate(capacity: settings.users)
        seconds.initialize(repeating: 0, count: settings.users)
    }

    deinit { seconds.deallocate() }

    /// Whether an opportunity may begin now; then it does.
    ///
    /// A person's first one comes after a random part of the window, so that a trial does not begin with a crowd.
    func take(_ user: Int, at milliseconds: Int64) -> Bool {
        precondition(user < settings.users, "a user outside the population")
        let last = seconds[user]
        if last == 0 {
            var random = RandomStream(seed: settings.seed, lane: 1 << 42 + UInt64(user))
            guard Double(milliseconds) >= random.uniform() * Double(settings.outcomeWindow) else { return false }
        } else {
            guard milliseconds - 1000 * Int64(last) > settings.outcomeWindow else { return false }
        }
        seconds[user] = UInt32(clamping: milliseconds / 1000 + 1)
        return true
    }
}
