"""One host: the only place that knows XML-RPC and HTTP to a supervisord.

`Supervisor` is the seam; `XmlRpcSupervisor` is the real thing, `FakeSupervisor` the
shipped fake, and one contract test runs on both.
"""
