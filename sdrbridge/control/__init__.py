"""How the bridge is asked and told: one declaration of verbs, served over HTTP on a Unix socket.

    client ─HTTP+JSON─▶ server: who asks (peer credentials) ─▶ verbs: request struct ─▶ Engine.perform ─▶ Operations
    Engine.tell ─events─▶ stream: a bounded queue for each listener ─JSON lines │ WebSocket─▶ client

`address` and `identity` need the standard library only; the command line imports nothing else from here.
"""
