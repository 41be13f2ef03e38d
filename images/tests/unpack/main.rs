//! What an archive of a layer may and may not do, with archives written byte by byte where tools refuse.

mod archives;
mod escapes;
mod limits;
mod overlay;
mod tar;
