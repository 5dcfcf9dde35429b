import Statistics
import Testing

/// Against scikit-learn and textbook formulas in numpy, on 60 rows.
@Suite struct RegressionTests {
    private func near(_ a: [Double], _ b: [Double], _ tolerance: Double = 1e-8) -> Bool {
        a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) <= tolerance * max(1, abs($1)) }
    }

    @Test func logisticAgreesWithScikitLearn() {
        let fit = LogisticRegression.fit(
            Self.columns, target: Self.binary, weights: Self.weights, l2: 0.5, threads: 2)
        #expect(fit.converged)
        #expect(
            near(
                [fit.intercept] + fit.coefficients,
                [
                    0.338501400124, 0.876270991174, -0.833810471033, 0.0190279847108,
                ], 1e-6))
    }

    @Test func logisticErrorsAreThoseOfTheInformationMatrix() {
        let fit = LogisticRegression.fit(Self.columns, target: Self.binary, l2: 0)
        #expect(
            near(
                fit.coefficients + [fit.intercept],
                [
                    0.899083106706, -0.660485329433, -0.12985845619, 0.267645769878,
                ]))
        #expect(
            near(
                fit.standardErrors + [fit.interceptError],
                [
                    0.386992643031, 0.333336528665, 0.342393322133, 0.318898990883,
                ]))
    }

    @Test func ridgeAgreesWithScikitLearn() {
        let fit = Ridge.fit(Self.columns, target: Self.continuous, weights: Self.weights, l2: 3)
        #expect(
            near(
                [fit.intercept] + fit.coefficients,
                [
                    -0.0467769532056, 1.0286933223, 2.0105012352, -0.980805246652,
                ]))
    }

    @Test func leastSquaresErrorsAreTheTextbooks() {
        let fit = Ridge.fit(Self.columns, target: Self.continuous, l2: 0)
        #expect(
            near(
                fit.coefficients + [fit.intercept],
                [
                    1.06594373614, 2.05843190866, -1.06109391347, -0.0435122070013,
                ]))
        #expect(
            near(
                fit.standardErrors + [fit.interceptError],
                [
                    0.167966719179, 0.151068370752, 0.162521087776, 0.148510352667,
                ]))
    }

    @Test func separableClassesAreSaidNotToConverge() {
        let x = (0..<40).map { Double($0) }
        let fit = LogisticRegression.fit([x], target: x.map { $0 < 20 ? 0 : 1 }, l2: 0)
        #expect(fit.coefficients[0] > 1 && fit.coefficients[0].isFinite)
        let penalised = LogisticRegression.fit([x], target: x.map { $0 < 20 ? 0 : 1 }, l2: 1)
        #expect(penalised.converged && penalised.coefficients[0] < 2)
    }

    @Test func aColumnThatRepeatsAnotherIsHarmless() {
        let fit = Ridge.fit(Self.columns + [Self.columns[0]], target: Self.continuous, l2: 0)
        let plain = Ridge.fit(Self.columns, target: Self.continuous, l2: 0)
        let rows = Self.continuous.count
        let (a, b) = (
            fit.margins(Self.columns + [Self.columns[0]], rows: rows), plain.margins(Self.columns, rows: rows)
        )
        #expect(near(a, b, 1e-4))
    }

    @Test func threadsDoNotMatter() {
        let columns = (0..<12).map { column -> [Double] in
            (0..<9_001).map { row -> Double in Double((row * 7919 + column * 104_729) % 1_000) / 500 - 1 }
        }
        let weights = (0..<9_001).map { Double($0 % 7) + 0.5 }
        #expect(
            WeightedGram.compute(columns, weights: weights, threads: 1)
                == WeightedGram.compute(columns, weights: weights, threads: 3))
    }

    @Test func sigmoidHasSixteenDigits() {
        #expect(Logistic.sigmoid(0) == 0.5)
        #expect(abs(Logistic.sigmoid(1) - 0.731058578630004879) < 2e-16)
        #expect(abs(Logistic.sigmoid(-30) / 9.357622968839298e-14 - 1) < 1e-15)
        #expect(Logistic.sigmoid(-800) == 0 && Logistic.sigmoid(800) == 1 && Logistic.sigmoid(.nan).isNaN)
        #expect(Logistic.sigmoid(-.infinity) == 0 && Logistic.sigmoid(.infinity) == 1)
    }

    private static let columns: [[Double]] = [
        [
            0.001, -0.891, 0.06, -0.62, 0.105, 0.695, -1.901, -0.235, 0.157, -0.539, -1.53, -0.809, -0.033, -0.112,
            -1.225, -1.547, -0.641, -1.199, -0.189, 0.667, 0.203, -1.187, 0.899, -0.795, -0.463, 0.689, -0.25,
            -0.304, -0.197, -0.444, -0.024, 1.052, -1.291, -2.035, 0.164, -0.624, -0.176, 0.52, 0.035, -0.858,
            0.089, -1.998, -2.129, 0.757, 0.131, 1.442, -0.16, -0.543, -0.626, -0.154, -0.694, 0.008, -1.379,
            -0.671, 1.407, -0.632, -0.023, 0.455, -1.108, -0.507,
        ],
        [
            0.299, -0.455, 1.34, 0.49, -0.93, -1.344, -1.29, -1.267, -0.187, -0.049, -0.478, 1.061, 0.884, 0.11,
            0.076, 0.859, 2.0, 0.075, 0.683, 1.439, -0.463, -0.579, 1.145, 0.647, -0.097, -0.327, 1.524, 0.353,
            -1.114, 1.166, 0.668, -0.005, 0.347, -0.304, 2.245, 0.205, -0.206, -1.034, -1.054, 0.972, -0.591,
            -1.131, 0.847, -0.845, -1.537, -0.066, -0.975, -0.051, -1.278, 0.966, -0.327, -0.375, -0.807, -1.054,
            -1.454, -1.761, 0.071, -0.539, -1.216, 0.292,
        ],
        [
            -0.274, -0.992, -0.492, 0.357, -0.029, -0.458, -1.842, 0.271, -2.517, 0.113, -0.979, -0.808, -0.584,
            0.064, 1.359, 0.119, 0.762, 0.577, -0.067, -0.676, 0.127, -0.196, -1.324, -1.992, 1.257, -0.369,
            -0.428, -0.121, -0.012, 0.653, -0.34, 0.583, -1.688, -0.9, -0.832, 0.493, 0.702, -0.079, 0.26, 0.193,
            -0.119, 0.363, -1.746, 0.779, 1.249, -0.274, 1.099, -0.793, 1.257, 0.013, -0.56, -0.3, 1.654, 0.337,
            -0.209, 0.735, -0.752, -0.143, 1.336, -0.034,
        ],
    ]
    private static let binary: [Double] = [
        1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1,
        0, 0, 1, 0, 1, 0, 0, 1, 1, 1, 0, 1, 0, 0, 0, 1, 1, 0, 1, 1, 0, 1, 1, 0,
    ]
    private static let continuous: [Double] = [
        0.413, -0.066, 3.15, 0.084, -2.017, -0.38, -2.66, -5.24, 1.608, -2.719, -4.758, 1.591, 3.653, 0.091,
        -3.605, -0.889, 3.728, -1.468, 1.292, 4.168, -0.812, -1.344, 5.066, 2.707, -2.957, 0.915, 2.542, 1.617,
        -3.684, 1.097, 1.645, -0.866, 2.813, -0.283, 5.022, 0.065, -0.911, -4.083, -2.083, 0.832, -0.891, -5.7,
        1.042, -1.89, -3.004, 1.918, -3.215, 1.677, -4.994, 1.376, -2.605, 1.127, -3.683, -2.199, -0.623, -4.779,
        1.086, -0.732, -5.08, 0.165,
    ]
    private static let weights: [Double] = [
        1.582, 1.167, 1.067, 1.13, 0.55, 1.766, 1.314, 1.081, 1.322, 1.582, 1.072, 1.746, 1.879, 1.081, 0.707,
        1.641, 1.989, 0.722, 1.569, 1.738, 1.881, 0.685, 0.638, 1.982, 0.675, 0.765, 1.362, 1.169, 1.626, 0.786,
        1.872, 0.826, 1.654, 0.601, 1.21, 0.549, 0.971, 0.968, 1.58, 1.183, 0.585, 1.993, 1.833, 1.874, 0.87,
        1.091, 0.841, 0.687, 0.55, 1.255, 0.685, 0.764, 1.791, 1.226, 0.776, 1.505, 0.899, 1.29, 0.924, 1.274,
    ]
}
