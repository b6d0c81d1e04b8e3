//! Replace the logic of a running service without stopping it.
