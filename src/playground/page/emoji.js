// The emoji that matter here, by Slack's names.

export const EMOJI = {
  "+1": "👍", "-1": "👎", adhesive_bandage: "🩹", alarm_clock: "⏰", ambulance: "🚑", arrow_right: "➡️", arrow_up: "⬆️",
  arrow_down: "⬇️", arrows_counterclockwise: "🔄", bangbang: "‼️", bar_chart: "📊", bell: "🔔", no_bell: "🔕",
  black_circle: "⚫", blue_circle: "🔵", books: "📚", boom: "💥", broom: "🧹", bug: "🐛", bulb: "💡", calendar: "📅",
  chart_with_upwards_trend: "📈", clipboard: "📋", clock1: "🕐", construction: "🚧", cross_mark: "❌", eyes: "👀",
  fire: "🔥", gear: "⚙️", ghost: "👻", green_circle: "🟢", green_heart: "💚", grey_question: "❔", hammer: "🔨",
  hammer_and_wrench: "🛠️", hand: "✋", heart: "❤️", heavy_check_mark: "✔️", hospital: "🏥", hourglass: "⌛",
  hourglass_flowing_sand: "⏳", information_source: "ℹ️", key: "🔑", large_blue_circle: "🔵", large_green_circle: "🟢",
  large_orange_circle: "🟠", large_red_circle: "🔴", large_yellow_circle: "🟡", link: "🔗", lock: "🔒", mag: "🔍",
  memo: "📝", mute: "🔇", no_entry: "⛔", no_entry_sign: "🚫", ok: "🆗", ok_hand: "👌", orange_circle: "🟠",
  package: "📦", page_facing_up: "📄", pencil2: "✏️", pill: "💊", point_right: "👉", pray: "🙏", pushpin: "📌",
  question: "❓", recycle: "♻️", red_circle: "🔴", repeat: "🔁", robot_face: "🤖", rocket: "🚀", rotating_light: "🚨",
  see_no_evil: "🙈", ship: "🚢", shrug: "🤷", skull: "💀", sleeping: "😴", smile: "😄", snail: "🐌", sos: "🆘",
  sparkles: "✨", speech_balloon: "💬", star: "⭐", stethoscope: "🩺", stopwatch: "⏱️", syringe: "💉", tada: "🎉",
  thermometer: "🌡️", thinking_face: "🤔", thumbsup: "👍", thumbsdown: "👎", timer_clock: "⏲️", toolbox: "🧰",
  triangular_flag_on_post: "🚩", unlock: "🔓", warning: "⚠️", wastebasket: "🗑️", wave: "👋", white_check_mark: "✅",
  white_circle: "⚪", white_large_square: "⬜", wrench: "🔧", x: "❌", yellow_circle: "🟡", yellow_heart: "💛", zap: "⚡",
  zzz: "💤",
};

// What a person can react with.
export const REACTIONS = [
  ["wrench", "wrench"],
  ["white_check_mark", "check mark"],
  ["x", "x"],
  ["eyes", "eyes"],
  ["mute", "mute"],
  ["repeat", "repeat"],
];

export function emojiOf(name) {
  return EMOJI[name.split("::")[0]];
}
