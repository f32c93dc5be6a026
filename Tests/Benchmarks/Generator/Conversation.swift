// A voice call that has gone on for a while, as a platform sends it with each turn: short questions, longer answers, calls of
// tools and what those returned.

/// The texts of a call, written as JSON strings without their quotes. They follow one another in turn; each list has a length of
/// its own, so that the same pair seldom comes twice.
struct Conversation {
    let system: String
    let questions: [String]
    let answers: [String]
    /// The arguments of the calls of a tool.
    let arguments: [String]
    /// What the tool returned.
    let results: [String]

    /// The system prompt, nine rounds of six messages with a tool's call in each, two plain turns, the question to answer: 60.
    var messages: [String] {
        var messages = [Self.message("system", system)]
        var (asked, answered) = (0, 0)
        func ask() {
            messages.append(Self.message("user", questions[asked % questions.count]))
            asked += 1
        }
        func answer() {
            messages.append(Self.message("assistant", answers[answered % answers.count]))
            answered += 1
        }
        for round in 0..<9 {
            ask()
            answer()
            ask()
            messages.append(Self.call(round, arguments[round % arguments.count]))
            messages.append(Self.result(round, results[round % results.count]))
            answer()
        }
        for _ in 0..<2 {
            ask()
            answer()
        }
        ask()
        return messages
    }

    static func message(_ role: String, _ content: String) -> String {
        #"{"role":"\#(role)","content":"\#(content)"}"#
    }

    private static func call(_ round: Int, _ arguments: String) -> String {
        """
        {"role":"assistant","content":null,"tool_calls":[{"id":"\(id(round))","type":"function",\
        "function":{"name":"find_slot","arguments":"\(arguments)"}}]}
        """
    }

    private static func result(_ round: Int, _ content: String) -> String {
        #"{"role":"tool","tool_call_id":"\#(id(round))","content":"\#(content)"}"#
    }

    private static func id(_ round: Int) -> String { "call_benchmark\(round)" }

    static let tools = [
        """
        {"type":"function","function":{"name":"find_slot","description":"Finds free appointments on a day.",\
        "parameters":{"type":"object","properties":{"day":{"type":"string"},"part":{"enum":["morning","afternoon"]}},\
        "required":["day"]}}}
        """,
        #"{"type":"function","function":{"name":"end_call","parameters":{"type":"object","properties":{}}}}"#,
    ]
}

extension Conversation {
    static let english = Conversation(
        system: """
            You answer the telephone of a dental practice in a small town. Speak in short, friendly sentences, because every \
            word is read aloud; never use lists, emoji or markup, and write numbers as they are spoken.\\n\\nThe practice is \
            open from Monday to Thursday between 8 and 18 o'clock, and on Friday until 14 o'clock. Find free appointments with \
            the tool \\"find_slot\\" before you name one, and repeat the day and the time before you book it. Ask for the name \
            and for a telephone number, digit by digit. If two people want to come, find two times that follow one \
            another.\\n\\nIn an emergency, say that help comes at once under 112. Stay calm when somebody is rude, and never \
            speak about other patients. Give no medical advice, make no promise about prices, and offer to be called back when \
            you do not know an answer. If you do not understand, ask once more, kindly and with other words. When the caller \
            says goodbye, thank them and call \\"end_call\\".
            """,
        questions: [
            "Hello, this is Maria Lindgren speaking. I would like to come in for a check-up, if that is possible next week.",
            "Do you have anything on Thursday? I could also come on Friday, but only before noon.",
            "Hm, that is too early for me, I work until two. And in the afternoon, do you have anything there?",
            "Yes.",
            "Could my daughter come at the same time? She is seven, and a little afraid of the drill.",
            "Sorry, I did not hear that. I am on the bus and the line is bad, could you say it once more, please?",
            "Okay, and how long will it take, about? I have to catch a train later that day.",
        ],
        answers: [
            """
            Of course, I am glad to help with that. Which day would suit you best, and rather in the morning or in the \
            afternoon?
            """,
            """
            There are two times left on that day. I have half past ten in the morning, or a quarter to four in the afternoon, \
            both with Doctor Winter. Which of the two shall I book for you?
            """,
            """
            Gladly. Please plan about forty minutes for it, and bring your insurance card with you. If anything changes, call \
            us a day before, and we find another time.
            """,
            """
            That is no trouble at all, many children are. We take all the time that she needs, and she may look at everything \
            first, and hold the mirror herself. Shall I write \\"a little afraid\\" beside her name, so that everybody knows?
            """,
            "One moment please, I am looking that up for you.",
        ],
        arguments: [
            #"{\"day\":\"2026-11-26\",\"part\":\"morning\"}"#, #"{\"day\":\"2026-11-26\"}"#,
            #"{\"day\":\"2026-12-01\",\"part\":\"afternoon\"}"#,
        ],
        results: [
            #"{\"free\":[\"10:30\",\"15:45\"],\"room\":2}"#, #"{\"free\":[]}"#,
            #"{\"free\":[\"08:15\",\"09:00\",\"13:20\",\"16:40\"],\"room\":1,\"note\":\"new patients: ten minutes earlier\"}"#,
            #"{\"error\":\"the calendar does not answer\"}"#,
        ])

    static let russian = Conversation(
        system: """
            Вы отвечаете на звонки в зубную клинику. Говорите коротко и приветливо: каждое слово будет прочитано вслух, \
            поэтому никаких списков и значков, а числа пишите так, как их произносят.\\n\\nКлиника открыта с понедельника по \
            четверг с 8 до 18 часов, в пятницу до 14. Свободное время ищите через \\"find_slot\\", потом повторите день и час. \
            Спросите имя и номер телефона, цифру за цифрой.\\n\\nЕсли человек волнуется, говорите спокойно и медленно. Не \
            давайте медицинских советов и не обещайте цен. Если ответа вы не знаете, предложите перезвонить; если случилась \
            беда, назовите 112. В конце поблагодарите за звонок и вызовите \\"end_call\\".
            """,
        questions: [
            "Здравствуйте, можно прийти на осмотр на следующей неделе?",
            "А в четверг? Или в пятницу, но только до обеда.",
            "Нет, это слишком рано, я работаю до двух. А после обеда?",
            "Да.",
            "А можно вместе с дочкой? Ей семь лет.",
            "Простите, плохо слышно, повторите ещё раз.",
            "Хорошо, а сколько это займёт? Мне потом на поезд.",
        ],
        answers: [
            "Конечно, с радостью. Какой день вам удобнее, и лучше утром или после обеда?",
            "Есть половина одиннадцатого утра и без четверти четыре, оба раза у доктора Зимина. Что вам записать?",
            "С удовольствием. Это займёт минут сорок, и возьмите с собой полис. Если что-то изменится, позвоните.",
            #"Ничего страшного, времени у нас достаточно. Отметить \"немного боится\", чтобы все знали?"#,
            "Минуту, пожалуйста, я посмотрю.",
        ],
        arguments: english.arguments,
        results: [
            #"{\"free\":[\"10:30\",\"15:45\"],\"room\":2}"#, #"{\"free\":[]}"#,
            #"{\"free\":[\"08:15\",\"16:40\"],\"note\":\"новым пациентам на десять минут раньше\"}"#,
            #"{\"error\":\"календарь не отвечает\"}"#,
        ])
}
