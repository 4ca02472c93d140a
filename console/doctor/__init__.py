"""`ctwa doctor`: what settings and traffic say of a set-up. All but `gather` is pure."""
