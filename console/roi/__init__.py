"""What ads cost and earned, as asked by a page, the API or a command: one set of queries, so that they can't differ."""
