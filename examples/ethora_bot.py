"""A bot in ten lines: it answers in the given chats, as a user of the app.

```sh
eval "$(ethora sandbox)"      # or the settings of your app
python examples/ethora_bot.py bot-1 order-7
```
"""

import asyncio
import sys

from ethora_async import EthoraClient
from ethora_async.platforms.ethora.realtime.events import MessageReceived


async def answer(user: str, *chats: str) -> None:
    async with EthoraClient.from_env() as ethora, ethora.realtime(user, rooms=chats) as stream:
        me = f"{ethora.app_id}_{user}"
        async for event in stream:
            match event:
                case MessageReceived(chat, message) if message.sender != me and message.body:
                    await stream.typing(chat)
                    await stream.send(chat, f"You said: {message.body}")


if __name__ == "__main__":
    asyncio.run(answer(*sys.argv[1:]))
