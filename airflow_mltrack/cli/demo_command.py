"""``mltrack demo``."""


def register(commands):
    pass
