// Dates as HTTP writes them: the one form of today, and the two that are to be understood still (RFC 9110 §5.6.7).

/// Reads a date of HTTP (`Date`, `Retry-After`).
package enum HTTPDate {
    /// `%a` and `%A` a day's name, `%d` two digits, `%e` the same with a space for a zero, `%b` a month's name, `%Y` and `%y` a
    /// year of four or two digits, `%H`, `%M`, `%S` the time.
    private static let forms = ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]

    /// No date is longer.
    private static let bytesMax = 64

    /// - Parameter unixTime: the time since 1970, which a year of two digits is near to.
    /// - Returns: seconds since 1970; nil for anything but one of the three forms.
    package static func unixSeconds(_ text: ArraySlice<UInt8>, unixTime: Duration) -> Int64? {
        guard text.count <= bytesMax else { return nil }
        for form in forms {
            var reader = Reader(rest: text)
            if reader.read(form) { return reader.date.unixSeconds(at: unixTime) }
        }
        return nil
    }

    private struct Date {
        var year = 0
        var hasCentury = false
        var month = 0
        var day = 0
        var (hour, minute, second) = (0, 0, 0)

        func unixSeconds(at unixTime: Duration) -> Int64? {
            let year = hasCentury ? year : completedYear(at: unixTime)
            // A second more than 59 is a leap second.
            guard (1...daysCount(in: year)).contains(day), hour < 24, minute < 60, second <= 60 else { return nil }
            return (days(in: year) * 24 + Int64(hour)) * 3600 + Int64(minute * 60 + second)
        }

        /// The last year of that ending that is not more than 50 years ahead.
        private func completedYear(at unixTime: Duration) -> Int {
            let latest = 1970 + Int(clamping: unixTime.components.seconds / 31_556_952) + 50
            return latest - (latest - year) % 100
        }

        private func isLeap(_ year: Int) -> Bool {
            year.isMultiple(of: 4) && (!year.isMultiple(of: 100) || year.isMultiple(of: 400))
        }

        private func daysCount(in year: Int) -> Int {
            month == 2 ? (isLeap(year) ? 29 : 28) : [4, 6, 9, 11].contains(month) ? 30 : 31
        }

        /// Days from 1970 to the date. The year is taken to begin in March, so that a leap day is its last.
        private func days(in year: Int) -> Int64 {
            let year = month > 2 ? year : year - 1
            let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
            return Int64(365 * year + year / 4 - year / 100 + year / 400 + dayOfYear - 719_468)
        }
    }

    private struct Reader {
        var rest: ArraySlice<UInt8>
        var date = Date()

        private static let days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
        private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

        mutating func read(_ form: String) -> Bool {
            var form = [UInt8](form.utf8)[...]
            while let byte = form.popFirst() {
                guard byte == UInt8(ascii: "%") ? readField(form.removeFirst()) : rest.popFirst() == byte else { return false }
            }
            return rest.isEmpty
        }

        private mutating func readField(_ field: UInt8) -> Bool {
            switch field {
            case UInt8(ascii: "a"): return index(of: Self.days.map { [UInt8]($0.utf8.prefix(3)) }) != nil
            case UInt8(ascii: "A"): return index(of: Self.days.map { [UInt8]($0.utf8) }) != nil
            case UInt8(ascii: "b"):
                guard let index = index(of: Self.months.map { [UInt8]($0.utf8) }) else { return false }
                date.month = index + 1
                return true
            case UInt8(ascii: "d"): return readNumber(2, into: \.day)
            case UInt8(ascii: "e"):
                return rest.first == UInt8(ascii: " ")
                    ? rest.popFirst() != nil && readNumber(1, into: \.day) : readNumber(2, into: \.day)
            case UInt8(ascii: "Y"):
                date.hasCentury = true
                return readNumber(4, into: \.year)
            case UInt8(ascii: "y"): return readNumber(2, into: \.year)
            case UInt8(ascii: "H"): return readNumber(2, into: \.hour)
            case UInt8(ascii: "M"): return readNumber(2, into: \.minute)
            default: return readNumber(2, into: \.second)
            }
        }

        private mutating func index(of names: [[UInt8]]) -> Int? {
            guard let index = names.firstIndex(where: { rest.starts(with: $0) }) else { return nil }
            rest = rest.dropFirst(names[index].count)
            return index
        }

        private mutating func readNumber(_ digitsCount: Int, into member: WritableKeyPath<Date, Int>) -> Bool {
            let digits = rest.prefix(digitsCount)
            guard digits.count == digitsCount, digits.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }) else {
                return false
            }
            date[keyPath: member] = digits.reduce(0) { 10 * $0 + Int($1 - UInt8(ascii: "0")) }
            rest = rest.dropFirst(digitsCount)
            return true
        }
    }
}
