//! The commands of `segue`: what they print, what they do to a service, and how they exit.

mod check;
mod commands;
mod delete;
mod demo;
mod history;
mod new;
mod probe;
mod sets;
mod sticky;
mod trials;
