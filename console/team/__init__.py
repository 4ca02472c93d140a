"""Who may work in the console: people, roles, sessions, second factors, one-time links. No HTTP in here.

Texts of errors are English and marked with `N_`; a page translates them.
"""
