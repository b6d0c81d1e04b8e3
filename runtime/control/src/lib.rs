//! The control socket of segue: its API, a server and a client.
