"""Setting up what differs between customers: credentials, datasets, channels. Every change is audited."""

from console.setup.channels import AddedChannel, add_channel, change_channel
from console.setup.credentials import add_credential, replace_token
from console.setup.datasets import add_dataset, change_dataset

__all__ = [
    "AddedChannel",
    "add_channel",
    "add_credential",
    "add_dataset",
    "change_channel",
    "change_dataset",
    "replace_token",
]
