extension IHCParameters {
    /// Curves fitted to 600 answers of an IHC API (docs/attribution.md); `attribute fit-ihc` makes your own.
    package static let standard = IHCParameters(
        initializer: IHCCurve(
            hours: [1.5, 2.62, 4.65, 8.92, 12.15, 15.34, 17.3, 20.12, 22.11, 24.46, 28, 34.38, 42.75, 48.41, 52.7],
            values: [
                0, 0.007, 0.0396, 0.112, 0.1685, 0.2107, 0.247, 0.3002, 0.3403, 0.3697, 0.4497, 0.5902, 0.7753, 0.8986,
                1,
            ]),
        closer: IHCCurve(
            hours: [0, 0.0317, 0.2, 0.45, 1.15, 2.02, 4.65, 8.92, 13.6, 16.2, 22.1, 24.5, 31.4, 36.2, 42.5, 44.7, 47],
            values: [
                1, 1, 0.8, 0.655, 0.572, 0.513, 0.459, 0.405, 0.311, 0.274, 0.209, 0.162, 0.09, 0.0494, 0.0195, 0.0055,
                0,
            ]),
        restartHours: 52.7, initializerWeight: 0.323, holderWeight: 0.374, closerWeight: 0.303)
}
