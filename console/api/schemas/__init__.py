"""What the API answers: the form of each resource."""
