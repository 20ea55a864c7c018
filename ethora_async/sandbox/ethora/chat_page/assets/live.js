"use strict";

// A frame for each user that the address names: /_sandbox/live?user=…&user=…#room/…
for (const user of new URLSearchParams(location.search).getAll("user")) {
  const frame = document.createElement("iframe");
  frame.title = `Chat of ${user}`;
  frame.src = `chat?${new URLSearchParams({ user })}${location.hash}`;
  document.getElementById("users").append(frame);
}
