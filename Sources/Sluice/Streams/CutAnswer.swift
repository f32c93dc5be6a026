// What an answer leaves that has broken off.

import Chat

/// What there was of an answer that has broken off, for another one that goes on with it.
struct CutAnswer {
    /// The text as the model wrote it, as a JSON string. With `speech` the caller has heard less, but a model goes on best from its own
    /// words: it takes up a list, a block of code or emphasis where it stands, and that is still open in `speech`.
    let text: [UInt8]
    /// What becomes of the text that follows.
    let speech: SpeechEdits
}
