//! The language against `corpus/`: small files, words and patterns, each with what BuildKit makes of it.
//!
//! BuildKit's own code writes the expectations: after a change to the corpus,
//! `go run ./dockerfile ../../builder/corpus ../../builder/corpus` in `conformance-tests/tools` does.
//! Where Berth means to differ, the difference and its reason stand in `corpus/differences.txt`.

#[cfg(feature = "real-buildkit")]
mod buildkit;
mod corpus;
mod images;
mod outcome;
