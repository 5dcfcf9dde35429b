import Foundation
import Terminal
import Testing

// Each in a process of its own: signals and their state belong to the process.

@Test func aSignalWakesWaitersAndStaysRaised() async {
    await #expect(processExitsWith: .success) {
        StopSignal.install()
        guard !StopSignal.wait(milliseconds: 5) else { exit(2) }
        Thread {
            usleep(20_000)
            kill(getpid(), SIGTERM)
        }.start()
        guard StopSignal.wait(milliseconds: 60_000), StopSignal.isRaised else { exit(3) }
        guard StopSignal.wait(milliseconds: 60_000) else { exit(4) }
    }
}

/// Status 143 is 128 and SIGTERM's 15, as a shell has it.
@Test func workThatMayEndAtAnyMomentDoes() async {
    await #expect(processExitsWith: .exitCode(143)) {
        StopSignal.install()
        StopSignal.leavingAtOnce {
            kill(getpid(), SIGTERM)
            sleep(60)
        }
    }
    // Outside such work the signal asks, as ever.
    await #expect(processExitsWith: .success) {
        StopSignal.install()
        StopSignal.leavingAtOnce {}
        kill(getpid(), SIGTERM)
        guard StopSignal.wait(milliseconds: 60_000) else { exit(2) }
    }
}

@Test func aSecondInterruptLeavesAtOnce() async {
    await #expect(processExitsWith: .exitCode(130)) {
        StopSignal.install()
        kill(getpid(), SIGINT)
        guard StopSignal.wait(milliseconds: 60_000) else { exit(2) }
        kill(getpid(), SIGINT)
        sleep(60)
    }
}

@Test func aReaderThatWentAwayIsAnErrorOfWrite() async {
    await #expect(processExitsWith: .success) {
        StopSignal.install()
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { exit(2) }
        close(ends[0])
        var byte: UInt8 = 0
        guard write(ends[1], &byte, 1) == -1, errno == EPIPE else { exit(3) }
    }
}

@Test func theProgramMayAskItselfToStop() async {
    await #expect(processExitsWith: .success) {
        StopSignal.raise()
        guard StopSignal.wait(milliseconds: 60_000) else { exit(2) }
    }
}
