// Reactions by their names.

// The names that front ends send, and what people see; any other reaction is shown as it was written.
export const EMOJI = { "+1": "👍", "-1": "👎", heart: "❤️", joy: "😂", smile: "😄", open_mouth: "😮", cry: "😢", pray: "🙏",
  clap: "👏", fire: "🔥", tada: "🎉", eyes: "👀", rocket: "🚀", white_check_mark: "✅" };

// A reaction's name without the colons that some front ends write around it.
export const wordOf = (kind) => kind.replace(/^:(.+):$/, "$1");
