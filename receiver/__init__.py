"""The public ingress: takes webhooks in, makes them durable, answers. It understands none of them."""
