"""`ctwa demo`: every case of every provider through a real stack, and what became of each."""
