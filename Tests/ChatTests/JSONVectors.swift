/// Bytes written as text: `‹E5›` stands for the byte 0xE5, everything else for its UTF-8.
func bytes(_ text: String) -> [UInt8] {
    var bytes: [UInt8] = []
    var rest = text[...]
    while let open = rest.firstIndex(of: "‹"), let close = rest[open...].firstIndex(of: "›") {
        bytes += rest[..<open].utf8
        let digits = rest[rest.index(after: open)..<close]
        bytes += digits.split(separator: " ").map { UInt8($0, radix: 16)! }
        rest = rest[rest.index(after: close)...]
    }
    return bytes + rest.utf8
}

/// Our own vectors of the kinds that the public JSONTestSuite (github.com/nst/JSONTestSuite) names.
enum JSONVectors {
    /// What RFC 8259 allows: the kinds of the suite's `y_` files, and of the `i_` files that are grammatical.
    static let accepted =
        acceptedArrays + acceptedNumbers + acceptedObjects + acceptedStrings + acceptedStructures + acceptedLoneSurrogates

    /// What it does not: the kinds of the `n_` files, and of the `i_` files that are not UTF-8.
    static let refused =
        refusedArrays + refusedNumbers + refusedObjects + refusedStrings + refusedStructures + refusedLiterals + refusedUTF8

    static let acceptedArrays = [
        "[[ ]   ]", "[ ]", "[]", "[\"\"]", "[\"one\"]", "[true]", "[null]", "[false]", "[null, 2, \"3\", {}]", "[7\n]", " [8]",
        "[1,null,null,null,2]", "[9] ", "[[[[[[]]]]]]", "[[],[],{}]", "[ 1 , 2 , 3 ]", "[\t\"tab\"\t]", "[\r\n]",
    ]

    static let acceptedNumbers = [
        "[987e65]", "[0e+1]", "[0e1]", "[ 5]", "[-0.000000000000000000000000000000000000000000000000000000000000000000001]",
        "[30e1]",
        "[-0]", "[-456]", "[-2]", "[-0.0]", "[4E44]", "[4E-3]", "[4E+3]", "[456e78]", "[456.456e78]", "[4e-3]", "[4e+3]", "[456]",
        "[456.456789]", "0", "-0", "-1.5e-9", "0.1", "10", "1E400", "-1e-400", "[123456789012345678901234567890]",
        "[0.30000000000000004]", "[1e00012]",
    ]

    static let acceptedObjects = [
        "{\"abc\":\"def\", \"ghi\":\"jkl\"}", "{\"abc\":\"def\"}", "{\"x\":\"y\",\"x\":\"z\"}", "{\"x\":\"y\",\"x\":\"y\"}", "{}",
        "{\"\":1}", "{\"nul\\u0000in\":2}", "{ \"least\": -1.0e+28, \"most\": 1.0e+28 }",
        "{\"x\":[{\"id\": \"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\"}], \"id\": \"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\"}",
        "{\"x\":[]}", "{\"title\":\"\\u041f\\u043e\\u043b\\u0442\\u043e\\u0440\\u0430\" }", "{\n\"a\": \"b\"\n}", "{ }",
        "{\"a\":{\"b\":{\"c\":{}}}}", "{\"é\":\"clé\"}",
    ]

    static let acceptedStrings = [
        "[\"\\u0061\\u30cf\\u30AF\"]", "[\"\\ud802\\udc37\"]", "[\"\\ud83d\\ude3a\\ud83d\\udc4e\"]",
        "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]",
        "[\"\\\\u0001\"]", "[\"\\\"\"]", "[\"b/*c*/d/*e//\"]", "[\"\\\\b\"]", "[\"\\\\n\"]", "[\"\\u0013\"]", "[\"\\uFFFE\"]",
        "[\"tuv\"]",
        "[ \"tuv\"]", "[\"\\uDBFF\\uDFFE\"]", "[\"n‹C2 85›l\"]", "[\"‹F4 8F BF BF›\"]", "[\"‹EF BF BF›\"]", "[\"\\u0000\"]",
        "[\"\\u002D\"]",
        "[\"π\"]", "[\"a‹F0 9B BF BF›b\"]", "[\"tuv \"]", "\" \"", "[\"\\uD83e\\uddEA\"]", "[\"\\u0122\"]", "[\"‹E2 80 A8›\"]",
        "[\"‹E2 80 A9›\"]", "[\"\\u0060\\u012b\\u12AC\"]", "[\"xx\\u000Ayy\"]", "[\"‹7F›\"]", "[\"\\uA67e\"]", "[\"⍂㈴⍂\"]",
        "[\"\\u0023\"]",
        "[\"\\u200C\"]", "[\"\\u2065\"]", "[\"\\uD83F\\uDFFE\"]", "[\"\\uFDD1\"]", "[\"€𝄡\"]", "[\"z‹7F›z\"]", "[\"‹ED 9F BF›\"]",
        "[\"‹EE 80 80›\"]", "[\"‹F0 90 80 80›\"]", "[\"‹E0 A0 80›\"]", "[\"‹C2 80›\"]", "\"\\/\"",
        "\"exactly8\"", "\"seven77\"", "\"nine99999\"", "\"a long string of more than two words of eight bytes\"",
    ]

    static let acceptedStructures = [
        "false", "43", "-0.2", "null", "\"qwer\"", "true", "\"\"", "[\"b\"]\n", "[false,true]", " [] ", "\n\r\t {}\n\r\t ",
    ]

    static let acceptedLoneSurrogates = [
        "[\"\\uDABA\"]", "[\"\\uD888\\u1235\"]", "[\"\\uD801\\n\"]", "[\"\\uDfab\"]", "[\"\\uDd1e\\uD834\"]", "[\"\\ud801\"]",
        "[\"\\ud801xyz\"]", "[\"\\uD801\\uD801\"]", "{\"\\uDFAB\":1}", "[\"\\uD801\\uD801\\n\"]",
    ]

    static let refusedArrays = [
        "[2 true]", "[b‹E5›]", "[\"\": 2]", "[\"\"],", "[,2]", "[2,,3]", "[\"y\",,]", "[\"y\"]]", "[\"\",]", "[\"y\"", "[y",
        "[4[5]]", "[‹FF›]",
        "[2:3]", "[,]", "[-]", "[   , \"\"]", "[\"b\",\n5\n,2,", "[2,]", "[2,,]", "[\"‹0B›b\"\\f]", "[*]", "[\"\"", "[2,",
        "[2,\n2\n,2", "[{}",
        "[\"b\" \"c\"]", "[;]", "[1 2]", "[null,", "[,null]", "[[]", "[[],", "[}", "[]]", "[\"a\":\"b\"]", "[{]}",
    ]

    static let refusedNumbers = [
        "[++1234]", "[+2]", "[+Inf]", "[-02]", "[-2.0.]", "[-3.]", "[-NaN]", "[.-2]", "[.3e-4]", "[0.2.3]", "[0.4e+]", "[0.4e]",
        "[0.e2]",
        "[0E+]", "[0E]", "[0e+]", "[0e]", "[2.0e+]", "[2.0e-]", "[2.0e]", "[2 000.0]", "[2eE3]", "[3.e+4]", "[3.e-4]", "[3.e4]",
        "[8.e+]",
        "[Inf]", "[NaN]", "[‹EF BC 92›]", "[2+3]", "[0x2]", "[0x43]", "[Infinity]", "[0e+-2]", "[-321.321foo]", "[321‹E5›]",
        "[2e2‹E5›]",
        "[0‹E5›]\n", "[-Infinity]", "[-bar]", "[- 2]", "[-013]", "[-.321]", "[-2x]", "[2eb]", "[2e‹E5›]", "[2.]", "[.321]",
        "[2.3b-4]",
        "[2.7022340674065028H-307]", "[013]", "321‹00›", "-", "+", "1.", "1e", "00", "01", "-00", "1_000", "0b1", "0o7", "1,000",
        "1e1.5",
        "[1.e1]", "[--1]", "-a", "1e+", "0x", ".5",
    ]

    static let refusedObjects = [
        "[\"y\", truth]", "{[: \"y\"}\n", "{\"y\", null}", "{\"y\"::\"c\"}", "{🇫🇷}", "{\"b\":\"b\" 321}", "{key: 'value'}",
        "{\"‹B9›\":\"1\",}",
        "{\"b\" c}", "{:\"c\"}", "{\"b\" \"c\"}", "{\"b\":", "{\"b\"", "{2:2}", "{8888E8888:2}", "{null:null,null:null}",
        "{\"id\":1,,,,,}",
        "{'b':1}", "{\"id\":1,}", "{\"b\":\"c\"}/**/", "{\"b\":\"c\"}/**//", "{\"b\":\"c\"}//", "{\"b\":\"c\"}/",
        "{\"b\":\"c\",,\"d\":\"e\"}",
        "{b: \"c\"}", "{\"b\":\"b", "{ \"bar\" : \"foo\", \"b\" }", "{\"b\":\"c\"}#", "{\"a\":}", "{,\"a\":1}",
        "{\"a\":1 \"b\":2}", "{\"a\":1;\"b\":2}",
        "{\"a\"=1}", "{true:1}", "{[]:1}", "{\"a\":1]", "{\"a\":1,", "{\"a\": ,}", "{\"a\":1}}", "{\"a\\x\":1}", "{{}}",
        "{\"a\":1,2}",
    ]

    static let refusedStrings = [
        "[\"\\uD801\\\"]", "[\"\\uD801\\u\"]", "[\"\\uD801\\u2\"]", "[\"\\uD801\\u2y\"]", "[è]", "[\"\\‹00›\"]", "[\"\\\\\\\"]",
        "[\"\\x01\"]",
        "[\"\\\t\"]", "[\"\\🌩\"]", "[\"\\\"]", "[\"\\u00B\"]", "[\"\\uD835\\uDe\"]", "[\"\\uD801\\uD801\\y\"]", "[\"\\u‹E5›\"]",
        "[\"\\b‹E5›\"]",
        "[\"\\q\"]", "[\"\\urrrr\"]", "[\"\\‹E5›\"]", "[\\u0021\"bsd\"]", "[\\t]", "\"", "['one quote']", "bcd", "[\"\\",
        "[\"b‹00›b\"]",
        "[\"new\nline\"]", "[\"\t\"]", "\"\\UA67D\"", "\"\"y", "\"\\u12", "\"\\u", "\"\\u123G\"", "\"\\", "\"a", "[\"‹1F›\"]",
        "[\"‹01›\"]",
        "\"\\a\"", "\"\\v\"", "\"\\0\"", "\"\\'\"", "\"\\u 123\"", "\"\\u+123\"", "\"\\u-123\"", "\"longer than a word‹00›\"",
        "\"\r\"",
    ]

    static let refusedStructures = [
        "[‹E2 81 A0›]", "‹EF BB BF›", "‹EF BB BF›{}", "<.>", "[<null>]", "[2]y", "[2]]", "[\"bsd]", "bå", "[True]", "2]",
        "{\"y\": true,",
        "[][]", "]", "‹EF BB›{}", "‹E5›", "[", "", "[‹00›]", "3@", "{}}", "{\"\":", "{\"b\":/*note*/\"c\"}",
        "{\"b\": true} \"y\"", "['", "[,", "[{",
        "[\"b", "[\"b\"", "{", "{]", "{,", "{[", "{\"b", "{'b'}", "[\"\\{[\"\\{[\"\\{[\"\\{", "‹E9›", "*", "{\"b\":\"c\"}#{}",
        "[\\u000A\"\"]", "[2",
        "[ true, nul", "[ true, fals", "[ false, tru", "{\"bsd\":\"bsd\"", "å", "‹E2 81 A0›", "[‹0C›]", " ", "\n", "‹00›",
        "{}‹00›", "1 2",
        "null null", "//c\n1", "/**/1", "[1]#", "‹C2 A0›1", "‹E2 80 A8›1", "‹FE FF 00 5B›", "‹FF FE 5B 00›", "[‹0B›1]", "}", ":",
        ",", "()",
    ]

    static let refusedLiterals = [
        "nul", "tru", "fals", "[fals]", "[nul]", "[tru]", "nulll", "truee", "falsey", "TRUE", "Null", "n", "t", "f", "nan",
        "undefined",
        "[trueL]", "t rue", "None",
    ]

    static let refusedUTF8 = [
        "\"‹80›\"", "\"‹BF›\"", "\"‹C0 80›\"", "\"‹C0 AF›\"", "\"‹C1 BF›\"", "\"‹C2›\"", "\"‹C2 20›\"", "\"‹C2 C2›\"",
        "\"‹E0 80 80›\"", "\"‹E0 9F BF›\"",
        "\"‹E2 82›\"", "\"‹E2 82 22›\"", "\"‹E2›\"", "\"‹ED A0 80›\"", "\"‹ED BF BF›\"", "\"‹ED A0 BD ED B8 80›\"",
        "\"‹F0 80 80 80›\"",
        "\"‹F0 8F BF BF›\"", "\"‹F0 9F 98›\"", "\"‹F0 9F›\"", "\"‹F0›\"", "\"‹F4 90 80 80›\"", "\"‹F5 80 80 80›\"",
        "\"‹F8 88 80 80 80›\"",
        "\"‹FC 84 80 80 80 80›\"", "\"‹FE›\"", "\"‹FF›\"", "\"é‹80›\"", "\"a‹E5›", "\"‹C2›", "\"‹F0 9F 98›", "{\"‹FF›\":1}",
        "\"12345678‹FF›\"",
        "\"1234567‹C3›\"", "\"‹F0 9F 98 20›\"", "\"‹F0 9F 20 80›\"", "\"‹E2 20 82›\"",
    ]
}
