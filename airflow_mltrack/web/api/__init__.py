"""The JSON API: reads, asks the functions of ``lifecycle``, and shapes their answers."""
