//! The application server of segue: HTTP in front of modules.
