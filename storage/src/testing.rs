//! The contracts of the two seams, as suites.
