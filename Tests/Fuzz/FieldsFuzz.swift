// Whatever stands in a header's field: what is read eight bytes at a time is read as by one, and times make sense.

@testable import Choosing
import Clock
import Glibc
@testable import HTTPClient
@testable import Settings
@testable import Sluice

func feedFields(_ input: [UInt8]) {
    checkField(input)
    let (value, half) = (text(input), input.count / 2)
    let now = Duration.seconds(1_795_000_000)
    for duration in [
        RetryAfter.duration(value, unixTime: now), RetryAfter.duration(nil, milliseconds: value, unixTime: now),
        RetryAfter.duration(text(input[half...]), milliseconds: text(input[..<half]), unixTime: .zero),
    ] {
        require(duration.map { $0 >= .zero && $0 <= .nanoseconds(Int64.max) || $0 < .seconds(1 << 40) } ?? true, "\(duration!)")
    }
    if let seconds = HTTPDate.unixSeconds(input[...], unixTime: now) { checkDate(input, seconds) }
    let id = RequestID(callers: value).description
    require((1...128).contains(id.utf8.count) && id.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }, "an id that is none")
    _ = Caller.sane(value)
    _ = Query(value)["custom_session_id"]
    _ = ModelPattern("gpt-[1-9]*").matches(value)
}

private let tokenBytes = Set("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

private func checkField(_ bytes: [UInt8]) {
    let prefix = bytes.prefix { tokenBytes.contains($0) }.count
    require(bytes.span.tokenPrefixCount == prefix, "another token")
    require(bytes.span.isToken == (prefix == bytes.count && prefix > 0), "no token")
    require(bytes.span.isFieldValue == !bytes.contains { [0, 0x0A, 0x0D].contains($0) }, "no field's value")
    let trimmed = bytes.span.trimmed(bytes.indices)
    let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
    require(bytes.allSatisfy(isBlank) ? trimmed.isEmpty : !isBlank(bytes[trimmed.lowerBound]), "a blank at the start")
    let lowered = bytes.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 + 32 : $0 }
    for pattern in ["retry-after", "x-ratelimit-*"] {
        let isWanted = pattern == "retry-after" ? lowered.elementsEqual(pattern.utf8) : lowered.starts(with: "x-ratelimit-".utf8)
        let name = HeaderPattern(pattern).match(bytes.span, bytes.span.firstWordLowercased)
        require((name != nil) == isWanted, "\(pattern) matches otherwise")
    }
    if let number = bytes.span.decimalNumber {
        require(text(bytes).drop { $0 == "0" } == (number == 0 ? "" : "\(number)"), "\(number)")
    }
}

/// In the form of today the C library writes the same.
private func checkDate(_ bytes: [UInt8], _ seconds: Int64) {
    require((-62_200_000_000...253_402_300_800).contains(seconds), "\(seconds) is no time")
    guard text(bytes).hasSuffix(" GMT"), bytes.count == 29, !text(bytes).contains(":60 ") else { return }
    var (time, written) = (time_t(seconds), [CChar](repeating: 0, count: 64))
    var parts = unsafe tm()
    _ = unsafe gmtime_r(&time, &parts)
    let count = unsafe strftime(&written, written.count, "%d %b %Y %H:%M:%S GMT", &parts)
    let again = written[..<count].map { UInt8(bitPattern: $0) }
    // Years before 1000 have four digits here alone.
    require(unsafe parts.tm_year < -900 || bytes.dropFirst(5).elementsEqual(again), "\(text(bytes)) is not \(text(again))")
}
