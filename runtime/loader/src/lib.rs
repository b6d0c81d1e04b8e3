//! From a file to a mapped image of a module, and the proof that it left.
