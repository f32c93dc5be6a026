// What the store has not been told yet.

/// What requests came to, of so many clients and days at most: those of one client and day are one.
struct StoreDebts {
    /// As many as there is room for among the counts of one machine.
    static let countMax = ClientCounts.rowsMax
    private static let tokensMax = 1 << 52

    private var debts: [(key: StoreKey, debt: StoreDebt)] = []
    private var places: [StoreKey: Int] = [:]

    var isEmpty: Bool { debts.isEmpty }
    var count: Int { debts.count }

    /// - Returns: false when there is no room for it.
    mutating func add(_ debt: StoreDebt, of key: StoreKey) -> Bool {
        if let place = places[key] {
            debts[place].debt.reserved = min(debts[place].debt.reserved + debt.reserved, Self.tokensMax)
            debts[place].debt.spent = min(debts[place].debt.spent + debt.spent, Self.tokensMax)
            return true
        }
        guard debts.count < Self.countMax else { return false }
        places[key] = debts.count
        debts.append((key, debt))
        return true
    }

    mutating func popLast() -> (key: StoreKey, debt: StoreDebt)? {
        guard let last = debts.popLast() else { return nil }
        places[last.key] = nil
        return last
    }
}
