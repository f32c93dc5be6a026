// Texts as models write them, and what a voice says of each.

@testable import Chat

/// A text, and what is said of it.
struct SpeechPair: CustomStringConvertible {
    let parts: SpeechParts
    let text: String
    let spoken: String

    init(_ parts: SpeechParts, _ text: String, _ spoken: String) { (self.parts, self.text, self.spoken) = (parts, text, spoken) }

    /// Of a text that has nothing to leave out.
    init(_ text: String) { self.init(.all, text, text) }

    var description: String { text.debugDescription }
}

extension SpeechParts {
    static let all: SpeechParts = [.think, .markdown, .emoji, .links]
}

extension SpeechPair {
    static let all = thoughts + emphasis + lines + lists + tables + code + html + links + emoji + untouched

    static let thoughts = [
        SpeechPair(.think, "<think>Hm.</think>Yes.", "Yes."),
        SpeechPair(.think, "<think>\nThe user greets.\n</think>\n\nHello!", "Hello!"),
        SpeechPair(.think, "<thinking>a</thinking> Ja.", "Ja."),
        SpeechPair(.think, "<THINK>a</Think>Ja.", "Ja."),
        SpeechPair(.think, "<thought>a</thought>你好。", "你好。"),
        SpeechPair(.think, "<reasoning>a < b</reasoning>नमस्ते", "नमस्ते"),
        SpeechPair(.think, "<reflection>x</reflection>مرحبا", "مرحبا"),
        SpeechPair(.think, "[THINK]Überlegung[/THINK]Gut.", "Gut."),
        SpeechPair(.think, "◁think▷想◁/think▷好。", "好。"),
        SpeechPair(.think, "<seed:think>x</seed:think>ok", "ok"),
        SpeechPair(.think, "Well, <think>no</think> yes.", "Well, yes."),
        SpeechPair(.think, "A.<think>no</think> B.", "A. B."),
        SpeechPair(.think, "<think>a</thinking>b</think>c", "c"),
        SpeechPair(.think, "<think>never closed", ""),
        SpeechPair(.think, "It began inside.</think>Then this.", "It began inside.Then this."),
        SpeechPair(.think, "</think>\n\nHello", "Hello"),
        SpeechPair(.think, "I think <this> and <thin> stay, <thinker> too", "I think <this> and <thin> stay, <thinker> too"),
        SpeechPair(.think, "<think></think>", ""),
        SpeechPair(.think, "<think>**a** 😀 https://a.b</think>**b** 😀", "**b** 😀"),
        SpeechPair(.think, "3 < 4 and [x]", "3 < 4 and [x]"),
        SpeechPair(.all, "<think>- a\n- b\n</think>\n\n- c\n", "c.\n"),
        SpeechPair(.all, "The tag `<think>` opens it.", "The tag <think> opens it."),
        SpeechPair([.markdown, .emoji, .links], "<think>a</think>b", "<think>a</think>b"),
    ]

    static let emphasis = [
        SpeechPair(.markdown, "**bold** *it* __b__ _i_ ~~s~~ ***both***", "bold it b i s both"),
        SpeechPair(.markdown, "Das ist **sehr** wichtig.", "Das ist sehr wichtig."),
        SpeechPair(.markdown, "**Donau**dampfschiff, Donau**dampf**schiff", "Donaudampfschiff, Donaudampfschiff"),
        SpeechPair(.markdown, "这是**重点**内容。", "这是重点内容。"),
        SpeechPair(.markdown, "这是*重点*内容。", "这是重点内容。"),
        SpeechPair(.markdown, "**注意：**请小心。", "注意：请小心。"),
        SpeechPair(.markdown, "هذا **مهم** جدا.", "هذا مهم جدا."),
        SpeechPair(.markdown, "यह **महत्वपूर्ण** है।", "यह महत्वपूर्ण है।"),
        SpeechPair(.markdown, "*हिन्दी* और _उर्दू_", "हिन्दी और उर्दू"),
        SpeechPair(.markdown, "2 * 3 = 6", "2 * 3 = 6"),
        SpeechPair(.markdown, "2*3*4 = 24", "2*3*4 = 24"),
        SpeechPair(.markdown, "2**3 is 8", "2**3 is 8"),
        SpeechPair(.markdown, "*so 2*3 is 6", "so 2*3 is 6"),
        SpeechPair(.markdown, "M*A*S*H", "M*A*S*H"),
        SpeechPair(.markdown, "5 €*", "5 €*"),
        SpeechPair(.markdown, "f***", "f***"),
        SpeechPair(.markdown, "snake_case_name and _other_", "snake_case_name and other"),
        SpeechPair(.markdown, "größe_in_mm", "größe_in_mm"),
        SpeechPair(.markdown, "Name: ____ ", "Name: ____ "),
        SpeechPair(.markdown, "~5 minutes, ~~10~~ 5", "~5 minutes, 10 5"),
        SpeechPair(.markdown, "a ~~ b", "a ~~ b"),
        SpeechPair(.markdown, "**\"Ja\"**, sagte er.", "\"Ja\", sagte er."),
        SpeechPair(.markdown, "(*really*)", "(really)"),
        SpeechPair(.markdown, "**a *b* c**", "a b c"),
        SpeechPair(.markdown, "**_x_**", "x"),
        SpeechPair(.markdown, "word**_x_**", "wordx"),
        SpeechPair(.markdown, "\\*not\\* \\_it\\_", "*not* _it_"),
        SpeechPair(.markdown, "C:\\Users", "C:\\Users"),
        SpeechPair(.markdown, "*", ""), SpeechPair(.markdown, "**", "**"), SpeechPair(.markdown, "a\\", "a\\"),
        SpeechPair(.markdown, "**open", "open"),
        SpeechPair(.markdown, "**one\n\n2 * 3*", "one\n\n2 * 3*"),
        SpeechPair([.think, .emoji, .links], "**bold** `x`\n# h", "**bold** `x`\n# h"),
    ]

    static let lines = [
        SpeechPair(.markdown, "# Title\nText", "Title.\nText"),
        SpeechPair(.markdown, "## Was ist das?\nText", "Was ist das?\nText"),
        SpeechPair(.markdown, "### **Bold:**\nText", "Bold:\nText"),
        SpeechPair(.markdown, "# 标题\n正文", "标题。\n正文"),
        SpeechPair(.markdown, "# शीर्षक\nपाठ", "शीर्षक।\nपाठ"),
        SpeechPair(.markdown, "# عنوان\nنص", "عنوان.\nنص"),
        SpeechPair(.markdown, "#1 is #hashtag # here", "#1 is #hashtag # here"),
        SpeechPair(.markdown, "C# is a language", "C# is a language"),
        SpeechPair(.markdown, "####### seven", "####### seven"),
        SpeechPair(.markdown, "#\ntext", "\ntext"),
        SpeechPair(.markdown, "> quoted\n> more\n>> deep", "quoted\nmore\ndeep"),
        SpeechPair(.markdown, "> - item\n> # head\n", "item.\nhead.\n"),
        SpeechPair(.markdown, ">=5 and >5", ">=5 and >5"),
        SpeechPair(.markdown, "a\n---\nb", "a\nb"),
        SpeechPair(.markdown, "a\n\n* * *\n\nb", "a\n\n\nb"),
        SpeechPair(.markdown, "Title\n=====\nText", "Title\nText"),
        SpeechPair(.markdown, "___", ""),
        SpeechPair(.markdown, "-- so --", "-- so --"),
        SpeechPair(.markdown, "a\n" + String(repeating: "-", count: 300) + "\nb", "a\nb"),
        SpeechPair(.markdown, "Ende.\n\n***Wichtig***", "Ende.\n\nWichtig"),
    ]

    static let lists = [
        SpeechPair(.markdown, "- one\n- two\n", "one.\ntwo.\n"),
        SpeechPair(.markdown, "* Apfel\n* Birne", "Apfel.\nBirne"),
        SpeechPair(.markdown, "+ a\n+ b\n", "a.\nb.\n"),
        SpeechPair(.markdown, "• a\n• b\n", "a.\nb.\n"),
        SpeechPair(.markdown, "- 苹果\n- 梨！\n", "苹果。\n梨！\n"),
        SpeechPair(.markdown, "- सेब\n- केला।\n", "सेब।\nकेला।\n"),
        SpeechPair(.markdown, "- تفاح\n- موز؟\n", "تفاح.\nموز؟\n"),
        SpeechPair(.markdown, "- one.\n- two;\n- three:\n- 50%\n", "one.\ntwo;\nthree:\n50%.\n"),
        SpeechPair(.markdown, "1. one\n2. two\n10) ten\n", "1. one.\n2. two.\n10) ten.\n"),
        SpeechPair(.markdown, "1. **Erstens**: ja\n", "1. Erstens: ja.\n"),
        SpeechPair(.markdown, "- a\n  - b\n    - c\n", "a.\n  b.\n    c.\n"),
        SpeechPair(.markdown, "- [ ] open\n- [x] done\n- [link]\n", "open.\ndone.\n[link].\n"),
        SpeechPair(.markdown, "- **Bold**: text\n- *it*\n", "Bold: text.\nit.\n"),
        SpeechPair(.markdown, "* **Bold**\n", "Bold.\n"),
        SpeechPair(.markdown, "-5 degrees\n- 5 eggs\n", "-5 degrees\n5 eggs.\n"),
        SpeechPair(.markdown, "-\n- \ntext", "\n\ntext"),
        SpeechPair(.markdown, "3.5 liters\n2024 was\n", "3.5 liters\n2024 was\n"),
        SpeechPair(.markdown, "a - b + c\n", "a - b + c\n"),
        SpeechPair(.markdown, "*a*\n*b*\n", "a\nb\n"),
        SpeechPair(.markdown, "- `code`\n- (x)\n", "code.\n(x).\n"),
        SpeechPair(.markdown, "–5 oder – nein\n", "–5 oder – nein\n"),
    ]

    static let tables = [
        SpeechPair(.markdown, "| a | b |\n|---|:-:|\n| 1 | 2 |\n", "a, b.\n1, 2.\n"),
        SpeechPair(.markdown, "|a|b|\n|-|-|\n|1||\n", "a, b.\n1.\n"),
        SpeechPair(
            .markdown, "| Name   | Größe   |\n| ------ | ------- |\n| **Eva** | 1,70 m |\nText",
            "Name, Größe.\nEva, 1,70 m.\nText"),
        SpeechPair(.markdown, "| 名字 | 年龄 |\n|---|---|\n| 王 | 三十 |\n", "名字，年龄。\n王，三十。\n"),
        SpeechPair(.markdown, "| اسم | عمر |\n", "اسم، عمر.\n"),
        SpeechPair(.markdown, "| नाम | आयु |\n", "नाम, आयु।\n"),
        SpeechPair(.markdown, "a | b\n---|---\n", "a | b\n"),
        SpeechPair(.markdown, "| a: | b? |\n", "a: b?\n"),
        SpeechPair(.markdown, "|" + String(repeating: "----------|", count: 30) + "\n| x |\n", "x.\n"),
        SpeechPair(.markdown, "|  | x |\n", "x.\n"),
        SpeechPair(.markdown, "either | or, x || y", "either | or, x || y"),
        SpeechPair(.markdown, "| a \\| b | c |\n", "a | b, c.\n"),
    ]

    static let code = [
        SpeechPair(.markdown, "Use `ls -l *.txt` now", "Use ls -l *.txt now"),
        SpeechPair(.markdown, "``a ` b``", "a ` b"),
        SpeechPair(.markdown, "`snake_case`, `**x**`", "snake_case, **x**"),
        SpeechPair(.markdown, "```python\nprint('*')\n# no heading\n```\nDone", "print('*')\n# no heading\nDone"),
        SpeechPair(.markdown, "```\na\n```", "a\n"),
        SpeechPair(.markdown, "~~~sh\n- x\n~~~\n- y\n", "- x\ny.\n"),
        SpeechPair(.markdown, "````\n```\n````\nx", "```\nx"),
        SpeechPair(.markdown, "```a`b```\n", "a`b\n"),
        SpeechPair(.markdown, "```js", ""),
        SpeechPair(.markdown, "`open\n*next*", "open\nnext"),
        SpeechPair(.markdown, "Hier:\n```c++\nint x = a * b;\n```\n*Ende*", "Hier:\nint x = a * b;\nEnde"),
        SpeechPair(.markdown, "运行`git push`命令", "运行git push命令"),
        SpeechPair(.markdown, "  ```\n  a\n  ```\nb", "    a\n  b"),
        SpeechPair(.all, "```\nhttps://a.example/x 😀 [a](b)\n```\n", "a.example [a](b)\n"),
    ]

    static let html = [
        SpeechPair(.markdown, "a<br>b<br/>c<br />d", "a b c d"),
        SpeechPair(.markdown, "<b>fett</b> und <em>kursiv</em>", "fett und kursiv"),
        SpeechPair(.markdown, "<p>a</p><p>b</p>", "a b "),
        SpeechPair(.markdown, "H<sub>2</sub>O", "H2O"),
        SpeechPair(.markdown, "<a href=\"https://x.example\">hier</a>", "hier"),
        SpeechPair(.markdown, "5 < 6, a<b and c>d, <3", "5 < 6, a<b and c>d, <3"),
        SpeechPair(.markdown, "<break time=\"1s\"/> <speak>", "<break time=\"1s\"/> <speak>"),
        SpeechPair(.markdown, "Tom &amp; Jerry &lt;3 &quot;x&quot;&nbsp;&#39;y&#39;", "Tom & Jerry <3 \"x\" 'y'"),
        SpeechPair(.markdown, "AT&T, Q&A, a & b, &amp", "AT&T, Q&A, a & b, &amp"),
        SpeechPair(.markdown, "a &mdash; b&hellip;", "a — b…"),
        SpeechPair(.markdown, "Vec<String>", "Vec<String>"),
        SpeechPair(.markdown, "<b", "<b"),
    ]

    static let links = [
        SpeechPair(.links, "See [the docs](https://a.example/x?y=1#z).", "See the docs."),
        SpeechPair(.links, "请看[这里](https://a.example/x)。", "请看这里。"),
        SpeechPair(.links, "انظر [هنا](https://a.example/x).", "انظر هنا."),
        SpeechPair(.links, "[यहाँ](https://a.example) देखें", "यहाँ देखें"),
        SpeechPair(.links, "Siehe [Köln](https://de.wikipedia.org/wiki/K%C3%B6ln_(Stadt)) an.", "Siehe Köln an."),
        SpeechPair(.links, "![a cat](cat.png) sits", "a cat sits"),
        SpeechPair(.links, "Wow! [x](y)", "Wow! x"),
        SpeechPair(.links, "Look ![x](y)", "Look x"),
        SpeechPair(.links, "[laughs] Hello [1] a[0] [x] (y)", "[laughs] Hello [1] a[0] [x] (y)"),
        SpeechPair(.links, "[a [b] c](d)", "a [b] c"),
        SpeechPair(.links, "[x](y \"a title\")!", "x!"),
        SpeechPair(.links, "[x](y", "x"),
        SpeechPair(.links, "[x](y\nz", "x\nz"),
        SpeechPair(.links, "[x", "[x"), SpeechPair(.links, "[x]", "[x]"), SpeechPair(.links, "[](x)", ""),
        SpeechPair(.links, "\\[x](y)", "\\[x](y)"),
        SpeechPair(
            .links, "[" + String(repeating: "long ", count: 30) + "text](https://a.example) end",
            String(repeating: "long ", count: 30) + "text end"),
        SpeechPair(.links, "[" + String(repeating: "long ", count: 30) + "] end", String(repeating: "long ", count: 30) + " end"),
        SpeechPair(.links, "https://www.example.com/a/b?c=d#e", "www.example.com"),
        SpeechPair(.links, "Go to https://example.com.", "Go to example.com."),
        SpeechPair(.links, "Go to http://example.com/a.html, then.", "Go to example.com, then."),
        SpeechPair(.links, "Kennst du https://example.com? Ja!", "Kennst du example.com? Ja!"),
        SpeechPair(.links, "https://example.com:8080/x and https://example.com: y", "example.com and example.com: y"),
        SpeechPair(.links, "(https://example.com/a_(b))", "(example.com)"),
        SpeechPair(.links, "<https://example.com/a> x", "example.com x"),
        SpeechPair(.links, "访问https://example.com/a，谢谢", "访问example.com，谢谢"),
        SpeechPair(.links, "访问https://example.com查看", "访问example.com查看"),
        SpeechPair(.links, "https://de.wikipedia.org/wiki/Köln ist", "de.wikipedia.org ist"),
        SpeechPair(.links, "https://münchen.example/x", "münchen.example"),
        SpeechPair(.links, "HTTPS://Example.COM/X", "Example.COM"),
        SpeechPair(.links, "xhttp://a.b http:// https://", "xhttp://a.b http:// https://"),
        SpeechPair(.links, "and/or 1/2 http https: the", "and/or 1/2 http https: the"),
        SpeechPair(.links, "https://a.example/x!? 'https://b.example/y'", "a.example!? 'b.example'"),
        SpeechPair([.links, .markdown], "**[a](b)** **https://a.example/x**", "a a.example"),
        SpeechPair([.links, .markdown], "[**a** `b`](c)", "a b"),
        SpeechPair([.links, .markdown], "- [a](b)\n- https://c.example/d\n", "a.\nc.example.\n"),
        SpeechPair([.links, .markdown], "`https://a.example/b`", "a.example"),
        SpeechPair([.links, .markdown], "\\[x](y)", "[x](y)"),
        SpeechPair([.links, .markdown], "| [a](b) | https://c.example/d |\n", "a, c.example.\n"),
        SpeechPair([.links, .markdown], "a[i](x) `a[i](x)`", "ai a[i](x)"),
        SpeechPair([.think, .markdown, .emoji], "[a](b) https://c.example/d", "[a](b) https://c.example/d"),
    ]

    static let emoji = [
        SpeechPair(.emoji, "Hello 😀 world", "Hello world"),
        SpeechPair(.emoji, "😀 Hi", "Hi"),
        SpeechPair(.emoji, "Super! 🎉🎉 Weiter", "Super! Weiter"),
        SpeechPair(.emoji, "你好😀世界", "你好世界"),
        SpeechPair(.emoji, "مرحبا 👋 بك", "مرحبا بك"),
        SpeechPair(.emoji, "नमस्ते 🙏 जी", "नमस्ते जी"),
        SpeechPair(.emoji, "👍🏽 ok 👍🏿", "ok "),
        SpeechPair(.emoji, "👨‍👩‍👧‍👦 family", "family"),
        SpeechPair(.emoji, "🏳️‍🌈 and 🏴‍☠️ x", "and x"),
        SpeechPair(.emoji, "🏳‍🌈 x", "x"),
        SpeechPair(.emoji, "🇩🇪🇨🇳 flags", "flags"),
        SpeechPair(.emoji, "🏴󠁧󠁢󠁥󠁮󠁧󠁿 x", "x"),
        SpeechPair(.emoji, "1️⃣ first, 2️⃣", "1 first, 2"),
        SpeechPair(.emoji, "❤️ and ❤", "and ❤"),
        SpeechPair(.emoji, "☝🏽 ☀️ ☀", "☀"),
        SpeechPair(.emoji, "© 2024 ™ ® → ↔ 10 #", "© 2024 ™ ® → ↔ 10 #"),
        SpeechPair(.emoji, "©️ ↔️ x", "x"),
        SpeechPair(.emoji, "⌚︎ ⌚", "⌚︎ "),
        SpeechPair(.emoji, "क्‍ष नहीं", "क्‍ष नहीं"),
        SpeechPair(.emoji, "می‌خواهم", "می‌خواهم"),
        SpeechPair(.emoji, "Done ✅!", "Done !"),
        SpeechPair(.emoji, "a\n😀\nb", "a\n\nb"),
        SpeechPair(.emoji, "“quotes” – dashes… ’ 、。「」", "“quotes” – dashes… ’ 、。「」"),
        SpeechPair(.emoji, "😀", ""), SpeechPair(.emoji, "❤", "❤"), SpeechPair(.emoji, "☕ Kaffee ☕️", "Kaffee "),
        SpeechPair([.emoji, .markdown], "✅ Fertig\n🚀 Los\n", "Fertig.\nLos.\n"),
        SpeechPair([.emoji, .markdown], "## 🎉 Titel\nx", "Titel.\nx"),
        SpeechPair([.emoji, .markdown], "- 🍎 Apfel 🍏\n", "Apfel \n"),
        SpeechPair([.emoji, .markdown], "**😀 bold**", "bold"),
        SpeechPair([.emoji, .markdown], "1️⃣ eins\n2️⃣ zwei\n", "1 eins.\n2 zwei.\n"),
        SpeechPair([.think, .markdown, .links], "Hi 😀 👍🏽", "Hi 😀 👍🏽"),
    ]

    static let untouched = [
        SpeechPair("The quick brown fox, isn't it? \"Yes\" (well): 50% off; $5 + 3 - 1 = 7."),
        SpeechPair("Größer, älter, süßer: „Ja“ – oder? 3,5 € und 20 °C."),
        SpeechPair("你好，世界！这是一个测试：今天天气很好。“真的吗？”"),
        SpeechPair("مرحبا بالعالم، كيف حالك؟ أنا بخير؛ شكرا."),
        SpeechPair("نمی‌دانم، می‌خواهم بروم."),
        SpeechPair("नमस्ते दुनिया। आप कैसे हैं? क्षत्रिय, ज्ञान, श्रीमान्‌"),
        SpeechPair("こんにちは、世界。お元気ですか？「はい」〜"), SpeechPair("안녕하세요, 세계! 잘 지내세요?"),
        SpeechPair("e\u{301}te\u{301} n\u{303}"), SpeechPair(""), SpeechPair(" "), SpeechPair("\n\n"), SpeechPair("a\tb\r\nc"),
    ]
}
