"""A believable business made up from a seed: campaigns, chats, sales and trouble, for looking at the console."""
