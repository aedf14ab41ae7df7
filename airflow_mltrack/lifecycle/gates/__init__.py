"""Gates: one file for each kind of check that a policy may hold.

To add a kind: write a module with a frozen dataclass that follows
:class:`~airflow_mltrack.lifecycle.gates.gate.Gate` and list it in
:data:`~airflow_mltrack.lifecycle.gates.kinds.GATES`.
"""
