//! The command line of the license engine: installs, retains, releases, reports and validates.
