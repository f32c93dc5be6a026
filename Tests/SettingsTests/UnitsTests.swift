import Testing

@testable import Settings

@Suite struct UnitsTests {
    @Test(arguments: [
        ("0s", 0), ("1ms", 1), ("800ms", 800), ("5s", 5000), ("90s", 90_000), ("10m", 600_000), ("1h", 3_600_000),
    ])
    func `a duration has a unit`(text: String, milliseconds: Int) {
        #expect(Duration(setting: text) == .milliseconds(milliseconds))
    }

    @Test(arguments: [
        "", "5", "s", "5d", "5 s", "+5s", "-5s", "0.5s", "5S", "٣s", "99999999999999999999s", "9223372036854775807h",
    ])
    func `nothing else is a duration`(text: String) {
        #expect(Duration(setting: text) == nil)
    }

    @Test(arguments: [("0s", "0s"), ("1500ms", "1500ms"), ("1000ms", "1s"), ("60s", "1m"), ("90s", "90s"), ("120m", "2h")])
    func `a duration is written in the largest unit that keeps it whole`(text: String, written: String) throws {
        #expect(try #require(Duration(setting: text)).setting == written)
    }

    @Test(arguments: [("0B", 0), ("512B", 512), ("64KiB", 65536), ("8MiB", 8_388_608), ("1GiB", 1_073_741_824)])
    func `a size has a unit`(text: String, bytes: Int) {
        #expect(Size.bytes(text) == bytes)
        #expect(Size.setting(bytes) == text)
    }

    @Test(arguments: [("0%", 0), ("7%", 7), ("100%", 100)])
    func `a share has a percent sign`(text: String, percent: Int) {
        #expect(Percentage.percent(text) == percent)
        #expect(Percentage.setting(percent) == text)
    }

    @Test(arguments: ["", "5", "%", "5 %", "-5%", "0.5%", "5%%", "99999999999999999999%"])
    func `nothing else is a share`(text: String) {
        #expect(Percentage.percent(text) == nil)
    }

    @Test(arguments: ["", "5", "KiB", "5KB", "5kib", "5 MiB", "-1B", "1.5MiB", "9223372036854775807GiB"])
    func `nothing else is a size`(text: String) {
        #expect(Size.bytes(text) == nil)
    }
}
